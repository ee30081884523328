"""The text that a query is about, with LF line ends and the selected entry of the completion list in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from codegemma_lsp.completion.types import Query
from codegemma_lsp.context import CursorInFile
from codegemma_lsp.syntax import language_name

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class CursorText:
    """A text with LF line ends, the cursor in it in code points, and the file's own line end."""

    text: str
    offset: int
    newline: str

    @property
    def at_line_end(self) -> bool:
        """Returns whether only blanks follow the cursor on its line."""
        end = self.text.find("\n", self.offset)
        return not self.text[self.offset : len(self.text) if end < 0 else end].strip()


def cursor_text(query: Query) -> CursorText:
    """Returns the text that a query is about, as if the entry selected in the completion list were accepted."""
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


def cursor_in_file(query: Query, path: str) -> CursorInFile:
    """Returns a query's cursor in the form that sources of context take. ``path`` is the file's path relative to its
    workspace folder."""
    cursor = cursor_text(query)
    language = language_name(query.document.language, path)
    return CursorInFile(path=path, language=language, text=cursor.text, offset=cursor.offset)


def usable(query: Query) -> bool:
    """Returns whether the selected entry's range is valid in the protocol: it must be on the cursor's line and contain
    the cursor."""
    assert query.selected is not None
    span, document = query.selected.span, query.document
    same_line = document.line_at(span.start) == document.line_at(span.end)
    return same_line and span.start <= query.offset <= span.end and "\n" not in query.selected.text


def _line_end(text: str, offset: int) -> str:
    """Returns the line end of the cursor's line, or else that of the line above it."""
    found = _LINE_END.search(text, offset)
    if found is None:
        found = next(iter(_LINE_END.finditer(text, max(0, text.rfind("\n", 0, offset) - 1), offset)), None)
    return found.group() if found is not None else "\n"


@lru_cache(maxsize=4)  # each document is converted several times, and a long one takes milliseconds
def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
