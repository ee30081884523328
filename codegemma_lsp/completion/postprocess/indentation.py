"""Corrects the indentation of a Python suggestion at the start of an empty line, where the cursor does not determine
it."""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.syntax import CursorKind, Syntax, reparse
from codegemma_lsp.text import indentation

_LINES = ("pass", "if x:", "try:", "except:")
"""Lines that can repair a file: a statement for a block that lacks one, or a header for one that lost its own."""
_FILES_END = re.compile(r"if __name__\b")
"""Matches a line that must not be indented."""


def at_a_level_that_fits(text: str, point: InsertionPoint) -> str:
    """Returns a Python text at the level that leaves the fewest syntax faults between the lines around it.

    Small models are better at statements than at their depth. Of several such levels, the nearest to the model's own is
    chosen. The text is empty if it belongs at the end of a file and something above is unfinished.
    """
    own = indentation(text)
    if not _is_open(point) or point.before or "\t" in own + point.indent_around:
        return text

    def faults(level: int) -> tuple[tuple[int, int], int]:
        return _with(point, moved(text, level - len(own))).faults, abs(level - len(own))

    level = min(_levels(point) | {len(own)}, key=faults)
    if _FILES_END.match(text.lstrip()) and (level or _is_unfinished(point)):
        return ""
    return moved(text, level - len(own))


def _fills(text: str, point: InsertionPoint) -> bool:
    """Returns whether a text stands in the block that the line above opened and that is still empty."""
    level = len(indentation(point.line_above))
    filled = bool(point.below) and len(indentation(point.below[0])) > level
    return point.line_above.rstrip().endswith(":") and not filled and len(point.before) + len(indentation(text)) > level


def _is_unfinished(point: InsertionPoint) -> bool:
    """Returns whether the line above is a header, or ends the docstring of a function that has no statement yet."""
    above = point.line_above
    if above.rstrip().endswith(":"):
        return True
    if not above.rstrip().endswith(('"""', "'''")):
        return False
    lines = point.syntax.text[max(0, point.offset - 4000) : point.offset].split("\n")
    outer = (line for line in reversed(lines) if line.strip() and len(indentation(line)) < len(indentation(above)))
    return next(outer, "").lstrip().startswith(("def ", "async def "))


def attainable(point: InsertionPoint, text: str) -> Syntax:
    """Returns the best syntax that one line at this point can give the file. A suggestion is compared with it.

    If a block lacks its statement or its header, a suggestion that does not change this adds no error, but is still
    wrong. Where ``text`` begins such a block, as with a comment or a nested header, more lines follow, and the result
    is the syntax as it stands.
    """
    if not _is_open(point) or not any(point.syntax.faults) or _fills(text, point):
        return point.syntax
    column = len(point.before)
    mended = (_with(point, " " * (level - column) + line) for level in _levels(point) for line in _LINES)
    return min((point.syntax, *mended), key=lambda syntax: syntax.faults)


def _is_open(point: InsertionPoint) -> bool:
    """Returns whether a Python statement belongs here, on a line that is otherwise empty."""
    is_statement = point.syntax.checks_blocks and point.scope.kind is CursorKind.STATEMENT
    return is_statement and not (point.before.strip() or point.rest.strip())


def _levels(point: InsertionPoint) -> set[int]:
    """Returns the columns at which a statement may begin, judged by the lines above and below."""
    above, column = len(indentation(point.line_above)), len(point.before)
    around = {above, above + point.indent_width, *(len(indentation(line)) for line in point.below[:1])}
    return {level for level in around if level >= column}


def _with(point: InsertionPoint, text: str) -> Syntax:
    before, after = point.syntax.text[: point.offset], point.syntax.text[point.offset :]
    return reparse(point.syntax, before + text + after)


def moved(text: str, by: int) -> str:
    """Returns the text with ``by`` more spaces before every line that is not blank. A negative number removes spaces,
    as far as the line has them."""
    return "\n".join(
        " " * max(0, len(indentation(line)) + by) + line.lstrip(" ") if line.strip() else line
        for line in text.split("\n")
    )
