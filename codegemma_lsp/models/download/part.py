"""The unfinished file of a transfer. It appends bytes, updates the checksum and reports the progress."""

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
    """The progress of a transfer in bytes. ``doing`` is a few words for the user, such as the current source."""

    done: int
    total: int
    doing: str


OnProgress: TypeAlias = Callable[[Progress], None]


class SourceFailed(Exception):
    """A source of a model failed. ``str()`` is a clause with the reason, without a full stop. ``advice`` is what the
    user can do other than try again."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


class Part:
    """A context manager around the file. It first reads the existing bytes for the checksum. Raises ``DiskFull``, and
    ``OSError`` if the file cannot be written."""

    def __init__(self, path: Path, total: int, on_progress: OnProgress) -> None:
        self.path, self.total, self.size = path, total, 0
        self.doing = "checking what is here"
        self._on_progress, self._told = on_progress, 0.0
        self._sum = hashlib.sha256()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b", buffering=0)
        try:
            self.keep(self.total)
        except BaseException:
            self._file.close()
            raise
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
        """Cuts the file to at most this number of bytes, and computes their checksum."""
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
        """Reports the progress, with ``more`` bytes that have arrived but are not yet written. It reports seldom enough
        to be cheap."""
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS or self.size + more >= self.total:
            self._told = now
            self._on_progress(Progress(self.size + more, self.total, self.doing))

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()
