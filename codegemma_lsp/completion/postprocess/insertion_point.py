"""The place where a suggestion goes, in the form that filters use, and the text that may be inserted there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from codegemma_lsp.syntax import DEFAULT_QUOTES, CursorKind, CursorScope, Extent, Syntax
from codegemma_lsp.text import indentation

_LONGEST_LINE = 2_000


@dataclass(frozen=True, kw_only=True)
class InsertionPoint:
    """The place where a suggestion goes.

    ``syntax`` is the tree of an excerpt of the LF-only ``text``, and ``offset`` is the cursor in the excerpt, as
    ``text_offset`` is in the text. ``cut_off`` means that
    generation stopped in the middle of the text. ``specials`` are the spellings of the model's special tokens.
    """

    syntax: Syntax
    offset: int
    scope: CursorScope
    extent: Extent
    text: str
    text_offset: int
    cut_off: bool = False
    specials: tuple[str, ...] = ()

    @property
    def before(self) -> str:
        """Returns the cursor's line up to the cursor, or the end of it if the line is very long."""
        first = max(0, self.offset - _LONGEST_LINE)
        return self.syntax.text[self.syntax.text.rfind("\n", first, self.offset) + 1 or first : self.offset]

    @cached_property
    def rest(self) -> str:
        """Returns the cursor's line from the cursor on, or the beginning of that if the line is very long."""
        last = self.offset + _LONGEST_LINE
        end = self.syntax.text.find("\n", self.offset, last)
        return self.syntax.text[self.offset : last if end < 0 else end]

    @property
    def quotes(self) -> str:
        """Returns the characters that begin and end strings here. There are none in a comment, where an apostrophe is
        text."""
        if self.scope.kind is CursorKind.COMMENT:
            return ""
        language = self.syntax.language
        return DEFAULT_QUOTES if language is None else language.quotes

    @cached_property
    def below(self) -> tuple[str, ...]:
        """Returns the next non-blank lines, at most 12."""
        start = self.offset + len(self.rest) + 1
        lines = self.syntax.text[start : start + 4000].split("\n")
        return tuple(line for line in lines if line.strip())[:12]

    @property
    def deeper_below(self) -> bool:
        """Returns whether the next non-blank line is indented deeper than the cursor's."""
        return bool(self.below) and len(indentation(self.below[0])) > len(indentation(self.before))

    @cached_property
    def line_above(self) -> str:
        """Returns the nearest non-blank line above the cursor's."""
        above = self.syntax.text[max(0, self.offset - 4000) : self.offset - len(self.before)].rstrip()
        return above[above.rfind("\n") + 1 :]

    @property
    def indent_around(self) -> str:
        """Returns the longer indentation of the nearest non-blank lines above and below. Between a block's header and
        its statements, this is the indentation of the statements."""
        return max((indentation(line) for line in (self.line_above, *self.below[:1])), key=len)

    @cached_property
    def _around(self) -> str:
        return self.syntax.text[max(0, self.offset - 8000) : self.offset + 4000]

    @cached_property
    def indents_with_tabs(self) -> bool | None:
        """Returns whether the cursor's line begins with a tab, or else whether most indented lines around it do. The
        result is None if none is indented."""
        if self.before[:1] in ("\t", " "):
            return self.before[0] == "\t"
        tabs = len(re.findall(r"^\t", self._around, re.MULTILINE))
        spaces = len(re.findall(r"^ {2}", self._around, re.MULTILINE))
        return None if tabs == spaces else tabs > spaces

    @cached_property
    def indent_width(self) -> int:
        """Returns the spaces of one level: the smallest indentation in use around the cursor, or 4 if there is none."""
        widths = [len(m) for m in re.findall(r"^( +)\S", self._around, re.MULTILINE)]
        return min((w for w in widths if w >= 2), default=4)


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text that may be inserted, "" for none, and how many characters after the cursor it overwrites."""

    text: str
    overwrites: int = 0
