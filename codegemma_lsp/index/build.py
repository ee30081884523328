"""Brings an index up to date with the files of its folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from codegemma_lsp.context import DiskFiles
from codegemma_lsp.context.workspace import is_ignored, looks_secret
from codegemma_lsp.index.blocks import Block, blocks
from codegemma_lsp.index.store import Index, Stamp
from codegemma_lsp.syntax import language_name

MOST_FILES = 50_000
"""The number of files after which a folder is not read on."""
_MOST_BYTES = 200_000
"""The size from which a file is generated or data."""
_AT_ONCE = 200
"""The number of files that are written in one transaction."""
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The number of files in an index, and how many were read for it and dropped from it."""

    files: int
    read: int
    dropped: int


def update(
    index: Index, files: DiskFiles, on_read: Callable[[int], None] = lambda _: None, *, below: str = ""
) -> Report:
    """Reads what has changed since the last time, and drops what is gone or may not be read any more.

    Only files ``below`` a folder are read, whose path ends with ``/``. ``on_read`` is told the number of files
    that were read so far. Raises ``sqlite3.Error`` and ``OSError``.
    """
    if not files.root.is_dir():
        raise FileNotFoundError(f"There is no folder {files.root}.")
    known = index.stamps()
    present = dict(islice(source_files(files.root, below), MOST_FILES))
    changed = [path for path, stamp in present.items() if known.get(path) != stamp]
    dropped = known.keys() - present.keys()
    index.remove(dropped)
    for at in range(0, len(changed), _AT_ONCE):
        index.put((path, present[path], _blocks(files, path)) for path in changed[at : at + _AT_ONCE])
        on_read(min(at + _AT_ONCE, len(changed)))
    return Report(files=len(present), read=len(changed), dropped=len(dropped))


def update_file(index: Index, files: DiskFiles, path: str) -> None:
    """Reads one file again, or drops it. Raises ``sqlite3.Error`` and ``OSError``."""
    if not _is_text(path):
        return
    is_reached = all(_is_entered(files.root, above.as_posix()) for above in list(Path(path).parents)[:-1])
    stamp = _stamp(files.root / path) if is_reached and _is_wanted(files.root, path) else None
    if stamp is None:
        index.remove([path])
    elif index.stamp(path) != stamp:
        index.put([(path, stamp, _blocks(files, path))])


def source_files(root: Path, below: str = "") -> Iterator[tuple[str, Stamp]]:
    """Yields the sources below a folder that may be read for a prompt, with their stamps. Links to folders are not
    followed."""
    folders = [below]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in found:
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if _is_entered(root, path):
                    folders.append(f"{path}/")
            elif _is_wanted(root, path) and (stamp := _stamp(root / path)) is not None:
                yield path, stamp


def _is_entered(root: Path, folder: str) -> bool:
    name = folder.rpartition("/")[2]
    return not name.startswith(".") and name not in _PASSED_OVER and not is_ignored(Path(folder, "any"), root)


def _is_wanted(root: Path, path: str) -> bool:
    relative = Path(path)
    is_source = _is_text(path) and bool(language_name("", relative.name))
    return is_source and not looks_secret(relative) and not is_ignored(relative, root)


def _is_text(path: str) -> bool:
    """Returns whether a path is UTF-8. SQLite takes no other."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(path: Path) -> Stamp | None:
    """Returns the stamp of a regular file of a sensible size, or None."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_source = stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_BYTES
    return Stamp(status.st_mtime_ns, status.st_size) if is_source else None


def _blocks(files: DiskFiles, path: str) -> tuple[Block, ...]:
    text = files.read(path)
    return tuple(blocks(text)) if text is not None else ()
