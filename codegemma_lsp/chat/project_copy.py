"""Copies a project, so that tests can run without changing it."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from codegemma_lsp.chat.types import RequestRefused
from codegemma_lsp.context.workspace import looks_secret

_MOST_BYTES, _MOST_FILES = 200_000_000, 20_000
"""The size from which a project is not copied."""
_NOT_COPIED = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox",
     ".nox", "node_modules"}
)  # fmt: skip
_LINKED = "node_modules"
"""The folder of a project's libraries, which its copy has as a link."""


def project_of(file: Path, root: Path, markers: Sequence[str]) -> Path:
    """Returns the innermost folder around a file that has one of the markers. Without one, it is ``root``, or the
    file's own folder if that is elsewhere. Raises ``RequestRefused`` for the user's home folder and those around it,
    which are no projects."""
    taboo = _around_home()
    marked = (folder for folder in file.parents if any((folder / name).exists() for name in markers))
    found = next((folder for folder in marked if folder.resolve() not in taboo), None)
    project = found or (root if file.is_relative_to(root) else file.parent)
    if project.resolve() in taboo:
        raise RequestRefused(
            f"{project} is not copied, because it is your home folder or around it; move the file into a folder."
        )
    return project


def _around_home() -> set[Path]:
    try:
        home = Path.home().resolve()
    except RuntimeError:  # there is none
        return {Path(Path.cwd().anchor)}
    return {home, *home.parents}


async def copied(project: Path, folder: Path) -> Path:
    """Copies a project into a folder, and returns the copy.

    Neither what is derived from the project nor files whose names look like secrets are copied. Links within the
    project are kept, and others are left out, as is what cannot be read. When this is cancelled, nothing is written any
    more. Raises ``RequestRefused`` if the project is too large, and ``OSError``.
    """
    stop = Event()
    copying = asyncio.ensure_future(asyncio.to_thread(_copied, project, folder, stop))
    try:
        return await asyncio.shield(copying)
    finally:
        stop.set()
        await asyncio.wait({copying})


def _copied(project: Path, folder: Path, stop: Event) -> Path:
    copy = folder.resolve() / (project.name or "project")
    left, files = _MOST_BYTES, _MOST_FILES
    for source, target in _entries(project, copy):
        if stop.is_set():
            return copy
        if source.is_symlink():
            _copy_link(source, target, project.resolve(), copy)
        elif source.is_file():
            left, files = left - _size(source), files - 1
            if left < 0 or files < 0:
                raise RequestRefused(f"{project} is too large to be copied for its tests; run them yourself.")
            _copy_file(source, target)
    if (project / _LINKED).is_dir():
        with suppress(OSError):  # on Windows, links need a right
            (copy / _LINKED).symlink_to(project / _LINKED, target_is_directory=True)
    return copy


def _entries(project: Path, copy: Path) -> Iterator[tuple[Path, Path]]:
    """Yields the files and links of a project with their places in its copy, whose folders it makes."""
    for here, folders, names in os.walk(project):
        built = {"target"} if "Cargo.toml" in names else set[str]()
        folders[:] = [name for name in folders if name not in _NOT_COPIED | built]
        relative = Path(here).relative_to(project)
        (copy / relative).mkdir(parents=True)
        links = (name for name in folders if Path(here, name).is_symlink())
        for name in (*links, *names):
            if not looks_secret(relative / name):
                yield Path(here, name), copy / relative / name


def _copy_link(source: Path, target: Path, project: Path, copy: Path) -> None:
    with suppress(OSError, RuntimeError):  # a link to itself
        to = source.resolve()
        if to.is_relative_to(project) and to.exists():
            target.symlink_to(copy / to.relative_to(project), target_is_directory=to.is_dir())


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copy2(source, target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        target.unlink(missing_ok=True)
