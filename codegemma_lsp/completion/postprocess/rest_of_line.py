"""Fits a suggestion to the text that follows the cursor on its line."""

from __future__ import annotations

from codegemma_lsp.completion.postprocess.closing_brackets import only_closers
from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.syntax import scan


def fitted_to_the_rest(text: str, point: InsertionPoint) -> str:
    """Returns one line if other text than closing brackets follows the cursor on its line.

    The line is cut before an end that repeats what follows, and before a bracket that is already closed there.
    """
    rest = point.rest.strip()
    if not rest or only_closers(point.rest):
        return text
    line = text.split("\n", 1)[0]
    stripped = line.rstrip()
    for size in range(min(len(rest), len(stripped)), 0, -1):
        if stripped.endswith(rest[:size]) and (size == len(rest) or size >= 3):
            return stripped[:-size]
    quote = scan(point.before, "", point.quotes).quote
    closed_there = [char for _, char in scan(rest, quote, point.quotes).unmatched]
    for at, char in scan(line, quote, point.quotes).unmatched:
        if char in closed_there:
            return line[:at]
    return line
