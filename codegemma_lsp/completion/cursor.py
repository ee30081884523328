"""The text that a query is about: as if the entry selected in the completion list were accepted, with LF line ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from codegemma_lsp.completion.types import Query

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class CursorText:
    """A text with LF line ends, the cursor in it, and the file's own line end."""

    text: str
    offset: int
    newline: str

    @property
    def at_line_end(self) -> bool:
        """Whether nothing but blanks follows the cursor on its line."""
        end = self.text.find("\n", self.offset)
        return not self.text[self.offset : len(self.text) if end < 0 else end].strip()


def cursor_text(query: Query) -> CursorText:
    """The text that a query is about, as if the entry selected in the completion list were accepted."""
    text, offset, newline = query.document.text, query.offset, "\n"
    if query.selected is not None and usable(query):
        span = query.selected.span
        text = text[: span.start] + query.selected.text + text[span.end :]
        offset = span.start + len(query.selected.text)
    if "\r" in text:
        newline = _line_end(text, offset)
        offset -= text.count("\r\n", 0, offset)
        text = _lf(text)
    return CursorText(text, offset, newline)


def usable(query: Query) -> bool:
    """Whether the selected entry's range is what the protocol asks for: on the cursor's line, with the cursor in it."""
    assert query.selected is not None
    span, document = query.selected.span, query.document
    same_line = document.line_at(span.start) == document.line_at(span.end)
    return same_line and span.start <= query.offset <= span.end and "\n" not in query.selected.text


def _line_end(text: str, offset: int) -> str:
    """The line end of the cursor's line, else that of the line above it."""
    found = _LINE_END.search(text, offset)
    if found is None:
        found = next(iter(_LINE_END.finditer(text, max(0, text.rfind("\n", 0, offset) - 1), offset)), None)
    return found.group() if found is not None else "\n"


@lru_cache(maxsize=4)  # several looks are taken at each document, and long ones take milliseconds
def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
