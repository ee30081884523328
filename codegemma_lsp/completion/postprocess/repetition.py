"""Removes what stands twice: within the suggestion, or already below the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.completion.stopping import loops, repeats
from codegemma_lsp.syntax import scan

_SIMILAR = 0.95


def without_loops(text: str, point: InsertionPoint) -> str:
    """Returns the text up to the first of several equal lines, and without a last line that repeats one piece of
    text."""
    lines = text.split("\n")
    for end in range(3, len(lines) + 1):
        if repeats("\n".join(lines[:end]) + "\n"):
            lines = lines[: end - 2]
            break
    if loops(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def not_already_below(text: str, point: InsertionPoint) -> str:
    """Returns "" if the suggestion repeats the next lines: exactly, or nearly if it is long. Equal lines at another
    depth are not a repetition."""
    said = [line.rstrip() for line in (point.before + text).split("\n") if line.strip()]
    if not point.below or len(said[0].strip()) < 4:
        return text
    stands = [line.rstrip() for line in point.below[: len(said)]]
    if len(said) < 3:
        return "" if said == stands else text
    matcher = SequenceMatcher(None, "\n".join(said), "\n".join(stands), autojunk=False)
    return "" if matcher.ratio() >= _SIMILAR else text


def without_lines_below(text: str, point: InsertionPoint) -> str:
    """Returns the text without its last lines that equal the next lines, such as a closing bracket that already
    follows, and without all from two of the next lines on that follow each other in it.

    The lines stay if they close a bracket that the suggestion itself opens.
    """
    lines = text.split("\n")
    for at in range(1, len(lines)):
        if not _begins_lines_below(lines[at:], point.below):
            continue
        kept = "\n".join(lines[:at])
        if len(scan(kept, "", point.quotes).unclosed) <= len(scan(text, "", point.quotes).unclosed):
            return kept
    return text


def _begins_lines_below(lines: Sequence[str], below: Sequence[str]) -> bool:
    """Returns whether the next lines are all of these lines, or the first two of them if the first has a word."""
    said = [line.rstrip() for line in lines]
    next_ = [line.rstrip() for line in below]
    if said == next_[: len(said)]:
        return True
    return len(said) > 1 and said[:2] == next_[:2] and re.search(r"\w", said[0]) is not None
