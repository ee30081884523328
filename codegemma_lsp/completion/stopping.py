"""Stops generation as soon as the syntax is complete or the model repeats itself."""

from __future__ import annotations

import re

from codegemma_lsp.syntax import CursorScope, Extent, Syntax, completion_end, reparse
from codegemma_lsp.text import indentation

_SAME_LINES = 3
_ONE_UNIT = re.compile(r"(?:(.{3,24}?)\1{3,}|(.{1,2}?)\2{29,})\W*$")
_LONG_LOOP = 40
_LONGEST_LOOP = 200
_FIRST_WORD = 12
"""The number of characters of a new line within which its first word ends. The first word can decide whether the line
before it was the end."""


class StoppingCriteria:
    """An ``OnText`` for one generation.

    It parses only after a line has ended or when the next line has its first characters, because nothing else can
    complete a piece.
    """

    def __init__(self, whole: Syntax, offset: int, scope: CursorScope, extent: Extent, next_line: str) -> None:
        """Takes the tree of the text as it stands. ``next_line`` is the first non-blank line below the cursor, or "" if
        there is none."""
        self._whole, self._grown = whole, whole
        self._offset, self._scope, self._extent = offset, scope, extent
        self._prefix, self._next_line = whole.text[:offset], next_line.rstrip()
        self._looked_at = 0

    def __call__(self, generated: str) -> bool:
        if loops(generated):
            return True
        if self._extent is Extent.LINE:
            return "\n" in generated
        fresh = generated[self._looked_at :]
        line = generated[generated.rfind("\n") + 1 :].strip()
        at_line_start = "\n" in generated and 0 < len(line) <= _FIRST_WORD
        self._looked_at = len(generated)
        if not generated.strip() or not ("\n" in fresh or at_line_start):
            return False
        if repeats(generated) or self._meets_suffix(generated) or self._heads_what_follows(generated):
            return True
        self._grown = reparse(self._grown, self._prefix + generated)
        # Of the finished lines, only the last non-blank one can still depend on what follows.
        lines = generated[: generated.rfind("\n") + 1].rstrip()
        since = self._offset + max(0, lines.rfind("\n"))
        grown, whole = self._grown, self._whole
        return completion_end(grown, self._offset, self._scope, self._extent, whole, since) is not None

    def _heads_what_follows(self, generated: str) -> bool:
        before = self._prefix[self._prefix.rfind("\n") + 1 :]
        return "\n" in generated and heads_what_follows(before + generated, self._next_line, self._whole)

    def _meets_suffix(self, generated: str) -> bool:
        """Returns whether the last finished line equals the next line of the document."""
        lines = generated.split("\n")
        return len(lines) > 1 and bool(self._next_line) and lines[-2].rstrip() == self._next_line


def heads_what_follows(text: str, next_line: str, syntax: Syntax) -> bool:
    """Returns whether a text's first line is a Python block header whose statements already stand below without a
    header.

    ``syntax`` is the tree of the text as it stands. If it has no fault, the statements below already have a header.
    """
    first = text.split("\n", 1)[0].rstrip()
    if not syntax.checks_blocks or not first.endswith(":") or not any(syntax.faults):
        return False
    return len(indentation(next_line)) > len(indentation(first))


def loops(generated: str) -> bool:
    """Returns whether the last line ends in a long run of one repeated piece of text. Rulers, indentation and literals
    do not count."""
    end = generated[-_LONGEST_LOOP:]
    run = _ONE_UNIT.search(end[end.rfind("\n") + 1 :])
    return run is not None and len(run.group()) >= _LONG_LOOP and any(c.isalnum() for c in run.group())


def repeats(generated: str) -> bool:
    """Returns whether the last finished lines are all equal. Lines of closing brackets do not count."""
    lines = [line.rstrip() for line in generated.split("\n")[:-1] if any(c.isalnum() for c in line)]
    return len(lines) >= _SAME_LINES and len(set(lines[-_SAME_LINES:])) == 1
