"""The files of a workspace folder, and of the packages that are installed in it, as sources of context see them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from pathspec import GitIgnoreSpec

from codegemma_lsp.context.workspace import NotAllowed, Workspace, looks_secret, on_disk

_PACKAGES = re.compile(r"(?:^|/)(?:node_modules/|(?:\.venv|venv|env)/(?:[Ll]ib/|pyvenv\.cfg$))")
"""Matches the places where packages are installed. Their files are ignored by git, but may be read, because an import
names them."""
_MOST_NAMES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFiles:
    """The files below ``root``, a folder of ``workspace``, but for those that patterns as of .gitignore exclude. With
    ``packages``, those of installed packages too."""

    root: Path
    workspace: Workspace
    packages: bool = True
    excluded: tuple[str, ...] = ()

    def read(self, path: str) -> str | None:
        """Returns a file's text with LF as line ends, or None if there is none that may be read."""
        if not self._may_be_read(path):
            return None
        full = self.root / path
        try:
            opened = self.workspace.opened(full)
            if not _PACKAGES.search(path):
                self.workspace.allowed(full)
            elif not full.resolve().is_relative_to(self.root.resolve()):
                return None
            status = full.stat()
            text = opened.text if opened is not None else _text(full, status.st_mtime_ns, status.st_size)
        except (NotAllowed, OSError, ValueError):
            return None
        return text.replace("\r\n", "\n")

    def exists(self, path: str) -> bool:
        """Returns whether ``read`` may return a text."""
        return self._may_be_read(path) and (self.root / path).is_file()

    def folder(self, path: str) -> tuple[str, ...]:
        """Returns the names in a folder, sorted. Names of folders end with ``/``."""
        if ".." in path.split("/"):
            return ()
        try:
            with os.scandir(self.root / path) as entries:
                names = [entry.name + "/" * entry.is_dir() for entry in islice(entries, _MOST_NAMES)]
        except (OSError, ValueError):
            return ()
        return tuple(sorted(names))

    def _may_be_read(self, path: str) -> bool:
        is_package = _PACKAGES.search(path) is not None
        is_below = bool(path) and not path.startswith("/") and ".." not in path.split("/") and "\0" not in path
        is_wanted = (self.packages or not is_package) and not _patterns(self.excluded).match_file(path)
        return is_below and is_wanted and not looks_secret(Path(path))


@lru_cache(maxsize=8)
def _patterns(lines: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(lines)


@lru_cache(maxsize=128)
def _text(path: Path, changed_ns: int, size: int) -> str:
    """Returns a file's text in its state at that time and size. Raises ``NotAllowed``."""
    return on_disk(path, path.name).text
