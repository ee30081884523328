"""Ends generation as soon as the syntax says that the piece is complete, or the model has begun to ramble."""

from __future__ import annotations

import re

from codegemma_lsp.syntax import Extent, Scope, Syntax, is_complete, reparse

_SAME_LINES = 3
_ONE_UNIT = re.compile(r"(.{1,24}?)\1{5,}\W*$")
_LONGEST_LOOP = 200


class Stopper:
    """An ``OnText`` for one generation. Looks only where a line has ended or the next one has got its first
    character: nothing else can complete a piece."""

    def __init__(self, syntax: Syntax, offset: int, scope: Scope, extent: Extent, next_line: str) -> None:
        """``next_line``: the first line below the cursor with something on it, empty where there is none."""
        self._syntax, self._offset, self._scope, self._extent = syntax, offset, scope, extent
        self._prefix, self._next_line = syntax.text[:offset], next_line.rstrip()
        self._looked_at = 0

    def __call__(self, generated: str) -> bool:
        if loops(generated):
            return True
        if self._extent is Extent.LINE:
            return "\n" in generated
        fresh = generated[self._looked_at :]
        line = generated[generated.rfind("\n") + 1 :]
        at_line_start = "\n" in generated and len(line.strip()) <= len(fresh.strip())
        self._looked_at = len(generated)
        if not generated.strip() or not ("\n" in fresh or at_line_start):
            return False
        if repeats(generated) or self._meets_suffix(generated):
            return True
        self._syntax = reparse(self._syntax, self._prefix + generated)
        return is_complete(self._syntax, self._offset, self._extent, self._scope.opener_indent) is not None

    def _meets_suffix(self, generated: str) -> bool:
        """Whether the last finished line is the one that already follows."""
        lines = generated.split("\n")
        return len(lines) > 1 and bool(self._next_line) and lines[-2].rstrip() == self._next_line


def loops(generated: str) -> bool:
    """Whether the last line ends in one piece of text over and over; rulers and indentation do not count."""
    end = generated[-_LONGEST_LOOP:]
    unit = _ONE_UNIT.search(end[end.rfind("\n") + 1 :])
    return unit is not None and any(c.isalnum() for c in unit.group(1))


def repeats(generated: str) -> bool:
    """Whether the last finished lines are all the same."""
    lines = [line.strip() for line in generated.split("\n")[:-1] if line.strip()]
    return len(lines) >= _SAME_LINES and len(set(lines[-_SAME_LINES:])) == 1
