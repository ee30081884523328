"""Keeps the indexes of the workspace's folders, in which similar code is found."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from codegemma_lsp.context import DiskFiles, Source, similar_code
from codegemma_lsp.context.similar import Hit
from codegemma_lsp.index.build import update_file
from codegemma_lsp.index.store import Index, index_path

log = logging.getLogger(__name__)

_SETTLE_S = 3.0
"""The number of seconds after the first question about a folder at which it is read, so that it costs no start."""
_HIDDEN = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
"""On Windows: no console window, and what ``nice`` does elsewhere."""
_PATIENCE_S = 1.0
_MANY = 50
"""The number of changed files, as after a checkout, from which a folder is read as a whole."""


class CodeIndex:
    """Runs on the event loop. A process of low priority reads a folder, and a thread the files that change after that.

    What is not read yet is not found. A failure is logged, and nothing is found then.
    """

    def __init__(self) -> None:
        self._open: dict[Path, Index] = {}
        self._opening = threading.Lock()
        self._builds: dict[Path, asyncio.Task[None]] = {}
        self._again: set[Path] = set()
        self._running: set[asyncio.subprocess.Process] = set()
        self._thread = ThreadPoolExecutor(1, "codegemma-index")

    def source(self, folder: Path) -> Source:
        """Returns the source of similar code in a folder, for any thread to call. The first time, the folder is read
        soon afterwards."""
        if folder not in self._builds:
            self._read(folder)
        return similar_code(partial(self._search, folder))

    def changed(self, files: DiskFiles, paths: Sequence[str]) -> None:
        """Files of a folder have been written or deleted. ``paths`` are relative to it."""
        if files.root not in self._builds:
            return
        if len(paths) >= _MANY:
            self._read(files.root)
            return
        with suppress(RuntimeError):  # while the server shuts down
            self._thread.submit(self._read_again, files, paths)

    def _read(self, folder: Path) -> None:
        task = self._builds.get(folder)
        if task is None or task.done():
            self._builds[folder] = asyncio.ensure_future(self._build_until_done(folder))
        else:
            self._again.add(folder)

    async def _build_until_done(self, folder: Path) -> None:
        """Reads a folder, and once more if many of its files have changed meanwhile."""
        self._again.add(folder)
        while folder in self._again:
            await asyncio.sleep(_SETTLE_S)
            self._again.discard(folder)
            try:
                await self._build(folder)
            except OSError as error:
                log.warning("a folder could not be indexed: %s", type(error).__name__)

    async def _build(self, folder: Path) -> None:
        # -P: the folder in which the server was started may be a workspace, and is no place to import from.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "codegemma_lsp.index", str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=_HIDDEN,
        )
        self._running.add(process)
        try:
            if await process.wait():
                log.warning("a folder could not be indexed")
        finally:
            _end(process)
            with suppress(TimeoutError):  # one that waits for a network folder may not end
                await asyncio.wait_for(process.wait(), _PATIENCE_S)
            self._running.discard(process)

    def _search(self, folder: Path, names: Collection[str], limit: int) -> Sequence[Hit]:
        try:
            return self._index(folder).search(names, limit)
        except (OSError, sqlite3.Error) as error:
            log.warning("the index cannot be read: %s", type(error).__name__)
            return ()

    def _read_again(self, files: DiskFiles, paths: Sequence[str]) -> None:
        try:
            for path in paths:
                update_file(self._index(files.root), files, path)
        except (OSError, sqlite3.Error) as error:
            log.warning("the index cannot be written: %s", type(error).__name__)

    def _index(self, folder: Path) -> Index:
        with self._opening:
            known = self._open.get(folder)
            if known is not None and not known.is_there():  # ``codegemma-lsp index clear``
                known.close()
                del self._open[folder]
            if folder not in self._open:
                self._open[folder] = Index(index_path(folder), folder)
            return self._open[folder]

    async def shut_down(self) -> None:
        """Ends what reads folders."""
        for task in self._builds.values():
            task.cancel()
        await asyncio.gather(*self._builds.values(), return_exceptions=True)
        self.close_now()

    def close_now(self) -> None:
        """Does what ``shut_down`` does when no event loop runs any more."""
        for process in tuple(self._running):  # another thread may call it
            _end(process)
        self._thread.shutdown(wait=False, cancel_futures=True)


def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
