"""The models that a client has asked to download."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.models.download.part import OnProgress, Progress
from codegemma_lsp.models.errors import PullInterrupted

_END_SECONDS = 1.0
"""The maximum number of seconds to wait for transfers at the end. Usually they end within 0.2 s of being cancelled, but
one that waits for the network may take much longer."""


@dataclass(frozen=True, slots=True)
class _Transfer:
    thread: threading.Thread
    cancelled: threading.Event


class Downloads:
    """The running transfers, on the event loop except for ``close_now``.

    Each transfer has a daemon thread of its own, so that a network that does not answer can neither block the server
    nor keep it from ending.
    """

    def __init__(self) -> None:
        self._transfers: list[_Transfer] = []

    async def pull(self, name: str, on_progress: OnProgress) -> Path:
        """Returns the file of a model, and downloads it first if it is missing. ``on_progress`` is called on the event
        loop. If the caller is cancelled, the transfer ends, and the next one continues it.

        Raises ``ModelMissing`` and ``PullFailed``.
        """
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()
        done: Future[Path] = Future()
        done.set_running_or_notify_cancel()

        def show(step: Progress) -> None:
            if not cancelled.is_set():
                on_progress(step)

        def report(step: Progress) -> None:
            if cancelled.is_set():
                raise PullInterrupted(f"The transfer of {name} was cancelled.")
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(show, step)

        def run() -> None:
            try:
                done.set_result(_pull(name, report))
            except Exception as error:
                done.set_exception(error)

        thread = threading.Thread(target=run, name=f"pull-{name}", daemon=True)
        self._transfers = [*self._running(), _Transfer(thread, cancelled)]
        thread.start()
        try:
            return await asyncio.wrap_future(done)
        finally:
            cancelled.set()

    def _running(self) -> list[_Transfer]:
        return [transfer for transfer in self._transfers if transfer.thread.is_alive()]

    async def shut_down(self) -> None:
        """Ends all transfers. Parts of files stay for the next pull."""
        if self._running():
            await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Does what ``shut_down`` does when no event loop runs any more."""
        running = self._running()
        for transfer in running:
            transfer.cancelled.set()
        deadline = time.monotonic() + _END_SECONDS
        for transfer in running:
            transfer.thread.join(max(0.0, deadline - time.monotonic()))


def _pull(name: str, on_progress: OnProgress) -> Path:
    from codegemma_lsp.models.download.pull import pull  # takes half a second to import

    return pull(name, on_progress)
