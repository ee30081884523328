"""Text, its line index, and positions in it: everything here is in code points unless a unit is named."""

from __future__ import annotations

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
    """Zero-based line, and zero-based character counted in the units of some ``Encoding``."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of offsets: ``start`` is in it, ``end`` is not."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the text in ``span`` by ``text``."""

    span: Span
    text: str


NOT_OPEN = -1
"""The version of a document that is read from disk."""


@dataclass(frozen=True)
class Document:
    """One version of one file; ``with_edit`` makes the next.

    Lines end at ``\\n``, ``\\r\\n`` or a lone ``\\r`` and nowhere else (LSP 3.17, Text Documents); form feeds and
    Unicode separators, which ``str.splitlines`` honours, do not end a line.
    """

    uri: str
    text: str
    language: str = ""
    version: int = 0
    _starts: Starts | None = field(default=None, repr=False, compare=False)

    @cached_property
    def starts(self) -> Starts:
        """Offsets at which lines start, ascending, the first one 0; shape (lines,)."""
        if self._starts is not None:
            return self._starts
        return np.concatenate([np.zeros(1, np.int64), _line_starts(self.text, 1, len(self.text))])

    @property
    def line_count(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """Zero-based number of the line that ``offset`` is on."""
        return int(np.searchsorted(self.starts, offset, side="right")) - 1

    def line_span(self, line: int) -> Span:
        """The line's text without its line break."""
        start = int(self.starts[line])
        if line + 1 >= self.line_count:
            return Span(start, len(self.text))
        end = int(self.starts[line + 1])
        return Span(start, end - (2 if self.text.startswith("\r\n", end - 2) else 1))

    def line_text(self, line: int) -> str:
        span = self.line_span(line)
        return self.text[span.start : span.end]

    def offset(self, position: Position, encoding: Encoding) -> int:
        """Offset of a position; one past a line's or the document's end is clamped to it, one within a code point
        to the code point's start (LSP 3.17, Position)."""
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
        """Position of an offset, which is clamped to the document; one inside ``\\r\\n`` is the line's end."""
        offset = max(0, min(offset, len(self.text)))
        line = self.line_at(offset)
        span = self.line_span(line)
        text = self.text[span.start : min(offset, span.end)]
        if text.isascii() or encoding is Encoding.UTF32:
            return Position(line, len(text))
        return Position(line, len(text.encode(encoding.codec)) // encoding.unit_bytes)

    def with_edit(self, edit: Edit, version: int | None = None) -> Document:
        """The document after ``edit``. The line index is spliced, not rebuilt: whether a line starts at an offset
        depends on the two characters around it only, so nothing outside the edit's edges can change."""
        start, end = edit.span.start, edit.span.end
        text = "".join((self.text[:start], edit.text, self.text[end:]))
        below = self.starts[: np.searchsorted(self.starts, max(start, 1), side="left")]
        above = self.starts[np.searchsorted(self.starts, end, side="right") :] + (len(edit.text) - len(edit.span))
        within = _line_starts(text, max(start, 1), start + len(edit.text))
        starts = np.concatenate([below, within, above])
        return Document(self.uri, text, self.language, self.version if version is None else version, starts)

    def with_text(self, text: str, version: int) -> Document:
        return Document(self.uri, text, self.language, version)


def file_path(uri: str) -> Path:
    """The local path of a ``file:`` URI; of any other scheme, its path part; of no URI at all, what it is."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return Path(uri)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(unquote(parts.path))


def _line_starts(text: str, first: int, last: int) -> Starts:
    """Offsets from ``first``, at least 1, to ``last`` at which a line starts: after ``\\n``, or a ``\\r`` that is not
    before one. By numpy: a file of 50 000 lines would keep the event loop for as many steps."""
    part = text[first - 1 : last + 1]
    if part.isascii():
        codes = np.frombuffer(part.encode("ascii"), np.uint8)
    else:
        codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), np.uint32)
    feeds, returns = codes == ord("\n"), codes == ord("\r")
    returns[:-1] &= ~feeds[1:]
    starts = np.flatnonzero(feeds | returns) + first
    return starts[starts <= last]
