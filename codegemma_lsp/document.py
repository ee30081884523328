"""A document's text, its line index, and positions in it. Offsets are code points unless a unit is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt

Starts: TypeAlias = npt.NDArray[np.int64]


class Encoding(StrEnum):
    """The unit in which a client counts characters within a line."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"

    @property
    def codec(self) -> str:
        return "utf-8" if self is Encoding.UTF8 else f"{self.value}-le"

    @property
    def unit_bytes(self) -> int:
        return {Encoding.UTF8: 1, Encoding.UTF16: 2, Encoding.UTF32: 4}[self]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A zero-based line, and a zero-based character counted in the units of some ``Encoding``."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of offsets: ``start`` is in it, and ``end`` is not."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the text in ``span`` by ``text``."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An edit, with the document that it changed and the document after it."""

    before: Document
    edit: Edit
    after: Document

    @property
    def removed(self) -> str:
        """The text that the edit replaced."""
        return self.before.text[self.edit.span.start : self.edit.span.end]


NOT_OPEN = -1
"""The version of a document that is read from disk."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One version of one file. ``with_edit`` returns the next one.

    Lines end at ``\\n``, ``\\r\\n`` or a lone ``\\r`` and nowhere else (LSP 3.17, Text Documents). Form feeds and
    Unicode separators, at which ``str.splitlines`` splits, do not end a line.
    """

    uri: str
    text: str
    language: str = ""
    version: int = 0
    _starts: Starts | None = field(default=None, repr=False, compare=False)

    @cached_property
    def starts(self) -> Starts:
        """The offsets at which lines start, ascending from 0, of shape (lines,)."""
        if self._starts is not None:
            return self._starts
        return np.concatenate([np.zeros(1, np.int64), _line_starts(self.text, 1, len(self.text))])

    @property
    def line_count(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """Returns the zero-based number of the line that ``offset`` is on."""
        return int(np.searchsorted(self.starts, offset, side="right")) - 1

    def line_span(self, line: int) -> Span:
        """Returns the span of the line's text without its line end."""
        start = int(self.starts[line])
        if line + 1 >= self.line_count:
            return Span(start, len(self.text))
        end = int(self.starts[line + 1])
        return Span(start, end - (2 if self.text.startswith("\r\n", end - 2) else 1))

    def line_text(self, line: int) -> str:
        span = self.line_span(line)
        return self.text[span.start : span.end]

    def offset(self, position: Position, encoding: Encoding) -> int:
        """Returns the offset of a position. A position past the end of a line or of the document is clamped to it, and
        one within a code point to the code point's start (LSP 3.17, Position)."""
        if position.line >= self.line_count:
            return len(self.text)
        if position.line < 0:
            return 0
        span = self.line_span(position.line)
        units = max(0, position.character)
        line = self.text[span.start : min(span.end, span.start + units)]
        if line.isascii() or encoding is Encoding.UTF32:
            return span.start + len(line)
        encoded = line.encode(encoding.codec)[: units * encoding.unit_bytes]
        return span.start + len(encoded.decode(encoding.codec, "ignore"))

    def position(self, offset: int, encoding: Encoding) -> Position:
        """Returns the position of an offset, which is clamped to the document. An offset inside ``\\r\\n`` gives the
        line's end."""
        offset = max(0, min(offset, len(self.text)))
        line = self.line_at(offset)
        span = self.line_span(line)
        text = self.text[span.start : min(offset, span.end)]
        if text.isascii() or encoding is Encoding.UTF32:
            return Position(line, len(text))
        return Position(line, len(text.encode(encoding.codec)) // encoding.unit_bytes)

    def with_edit(self, edit: Edit, version: int | None = None) -> Document:
        """Returns the document after ``edit``.

        The line index is spliced and not rebuilt. Whether a line starts at an offset depends only on the two characters
        around it, so nothing outside the edit's edges can change.
        """
        start, end = edit.span.start, edit.span.end
        text = "".join((self.text[:start], edit.text, self.text[end:]))
        below = self.starts[: np.searchsorted(self.starts, max(start, 1), side="left")]
        above = self.starts[np.searchsorted(self.starts, end, side="right") :] + (len(edit.text) - len(edit.span))
        within = _line_starts(text, max(start, 1), start + len(edit.text))
        starts = np.concatenate([below, within, above])
        return Document(
            uri=self.uri,
            text=text,
            language=self.language,
            version=self.version if version is None else version,
            _starts=starts,
        )

    def with_text(self, text: str, version: int) -> Document:
        return Document(uri=self.uri, text=text, language=self.language, version=version)


def file_path(uri: str) -> Path:
    """Returns the local path of a ``file:`` URI, the path part of any other URI, or the text itself if it is no URI."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return Path(uri)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(unquote(parts.path))


def display_path(file: Path, folders: Iterable[Path]) -> str:
    """Returns the path that the model and the user see: relative to the folder that contains the file, or else the
    file's name."""
    holding = next((folder for folder in folders if file.is_relative_to(folder)), None)
    return file.relative_to(holding).as_posix() if holding is not None else file.name


def _line_starts(text: str, first: int, last: int) -> Starts:
    """Returns the offsets from ``first``, at least 1, to ``last`` at which a line starts: after ``\\n``, or after a
    ``\\r`` without ``\\n``. It uses numpy, because a loop over 50,000 lines would block the event loop."""
    part = text[first - 1 : last + 1]
    if part.isascii():
        codes = np.frombuffer(part.encode("ascii"), np.uint8)
    else:
        codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), np.uint32)
    feeds, returns = codes == ord("\n"), codes == ord("\r")
    returns[:-1] &= ~feeds[1:]
    starts = np.flatnonzero(feeds | returns) + first
    return starts[starts <= last]
