"""Where a suggestion goes, as filters look at it, and what may be inserted there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from codegemma_lsp.syntax import DEFAULT_QUOTES, CursorKind, CursorScope, Extent, Syntax
from codegemma_lsp.text import indentation

_LONGEST_LINE = 2_000


@dataclass(frozen=True)
class InsertionPoint:
    """Where a suggestion goes. ``syntax`` is of the text as it stands, LF-only; ``offset`` the cursor. ``cut_off``:
    the model was stopped in the midst of what it said, because it had said enough. ``specials`` spell its special
    tokens."""

    syntax: Syntax
    offset: int
    scope: CursorScope
    extent: Extent
    cut_off: bool = False
    specials: tuple[str, ...] = ()

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor; of a very long one, its end."""
        first = max(0, self.offset - _LONGEST_LINE)
        return self.syntax.text[self.syntax.text.rfind("\n", first, self.offset) + 1 or first : self.offset]

    @cached_property
    def rest(self) -> str:
        """The cursor's line from the cursor on; of a very long one, its beginning."""
        last = self.offset + _LONGEST_LINE
        end = self.syntax.text.find("\n", self.offset, last)
        return self.syntax.text[self.offset : last if end < 0 else end]

    @property
    def quotes(self) -> str:
        """The characters that begin and end strings here; none in a comment, where an apostrophe is one."""
        if self.scope.kind is CursorKind.COMMENT:
            return ""
        language = self.syntax.language
        return DEFAULT_QUOTES if language is None else language.quotes

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The next lines with something on them, at most 12."""
        start = self.offset + len(self.rest) + 1
        lines = self.syntax.text[start : start + 4000].split("\n")
        return tuple(line for line in lines if line.strip())[:12]

    @property
    def deeper_below(self) -> bool:
        """Whether the next line with something on it is indented deeper than the cursor's."""
        return bool(self.below) and len(indentation(self.below[0])) > len(indentation(self.before))

    @cached_property
    def line_above(self) -> str:
        """The nearest line above with something on it."""
        above = self.syntax.text[max(0, self.offset - 4000) : self.offset - len(self.before)].rstrip()
        return above[above.rfind("\n") + 1 :]

    @property
    def indent_around(self) -> str:
        """The longer indentation of the nearest lines above and below with something on them: between a block's
        header and its statements it is that of the statements."""
        return max((indentation(line) for line in (self.line_above, *self.below[:1])), key=len)

    @cached_property
    def _around(self) -> str:
        return self.syntax.text[max(0, self.offset - 8000) : self.offset + 4000]

    @cached_property
    def indents_with_tabs(self) -> bool | None:
        """As the cursor's line does, else as most lines around it; None where none is indented."""
        if self.before[:1] in ("\t", " "):
            return self.before[0] == "\t"
        tabs = len(re.findall(r"^\t", self._around, re.MULTILINE))
        spaces = len(re.findall(r"^ {2}", self._around, re.MULTILINE))
        return None if tabs == spaces else tabs > spaces

    @cached_property
    def indent_width(self) -> int:
        """Spaces of one level: the smallest indentation in use around the cursor, 4 where there is none."""
        widths = [len(m) for m in re.findall(r"^( +)\S", self._around, re.MULTILINE)]
        return min((w for w in widths if w >= 2), default=4)


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text that may be inserted, "" for none, and how many characters after the cursor it overwrites."""

    text: str
    overwrites: int = 0
