"""The unfinished file of a transfer: grown at its end, its checksum taken as it grows, its progress told."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from codegemma_lsp.models.errors import DiskFull

BLOCK = 2**20
_TELL_SECONDS = 0.1
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is, in bytes; ``doing`` is a few words for the user, such as the source that is read."""

    done: int
    total: int
    doing: str


OnProgress: TypeAlias = Callable[[Progress], None]


class SourceFailed(Exception):
    """One source of a model gave nothing: ``str()`` is a clause that says why, without a full stop. ``advice``: what
    the user can do about it, in place of trying again."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


class Part:
    """A context manager around the file; what is there already is read first, for the checksum. Raises ``DiskFull``
    where there is no room, and ``OSError`` where the file cannot be written."""

    def __init__(self, path: Path, total: int, on_progress: OnProgress) -> None:
        self.path, self.total, self.size = path, total, 0
        self.doing = "checking what is here"
        self._on_progress, self._told = on_progress, 0.0
        self._sum = hashlib.sha256()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b", buffering=0)
        self.keep(self.total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
        except OSError as failed:
            if failed.errno in _FULL:
                raise DiskFull("") from None
            raise
        finally:
            self._file.close()
            if not self.size:
                self.path.unlink(missing_ok=True)

    def keep(self, size: int) -> None:
        """Cuts the file to at most so many bytes, and takes the checksum of those."""
        assert self._file is not None
        self._file.seek(0)
        self._sum, self.size = hashlib.sha256(), 0
        while block := self._file.read(min(BLOCK, size - self.size)):
            self._sum.update(block)
            self.size += len(block)
            self.tell()
        self._file.truncate(self.size)
        self._file.seek(self.size)

    def write(self, block: bytes) -> None:
        assert self._file is not None
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull("") from None
            raise
        self._sum.update(block)
        self.size += len(block)
        self.tell()

    def tell(self, more: int = 0) -> None:
        """Tells how far it is, counting ``more`` bytes that are here and not yet written; seldom enough to be cheap."""
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS or self.size + more >= self.total:
            self._told = now
            self._on_progress(Progress(self.size + more, self.total, self.doing))

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()
