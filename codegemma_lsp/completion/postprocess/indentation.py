"""Indentation where it is part of the language and the cursor leaves it open: at the start of an empty line."""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.syntax import CursorKind, Syntax, reparse
from codegemma_lsp.text import indentation

_LINES = ("pass", "if x:", "try:", "except:")
"""What may be missing of a file that a line would mend: a block's statement, a header of one that has lost its own."""
_FILES_END = re.compile(r"if __name__\b")
"""What stands at the file's own level or nowhere."""


def at_a_level_that_fits(text: str, point: InsertionPoint) -> str:
    """In Python, at the level that leaves the fewest faults between the lines around it, of several the nearest to
    the model's own: a small model knows the statement better than its depth. Nothing, where it is the file's end and
    something is unfinished above."""
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
    """Whether a text stands within the block that the line above has opened and that holds nothing yet."""
    level = len(indentation(point.line_above))
    filled = bool(point.below) and len(indentation(point.below[0])) > level
    return point.line_above.rstrip().endswith(":") and not filled and len(point.before) + len(indentation(text)) > level


def _is_unfinished(point: InsertionPoint) -> bool:
    """Whether the line above is a header, or ends the documentation of a function that has nothing else yet."""
    above = point.line_above
    if above.rstrip().endswith(":"):
        return True
    if not above.rstrip().endswith(('"""', "'''")):
        return False
    lines = point.syntax.text[max(0, point.offset - 4000) : point.offset].split("\n")
    outer = (line for line in reversed(lines) if line.strip() and len(indentation(line)) < len(indentation(above)))
    return next(outer, "").lstrip().startswith(("def ", "async def "))


def attainable(point: InsertionPoint, text: str) -> Syntax:
    """The file as good as one line here could make it, by which a suggestion is judged: where a block lacks its
    statement or its header, one that leaves it so is no worse than before, and still wrong. Where ``text`` begins a
    block that is empty yet, with a comment or a header of its own, more is to come."""
    if not _is_open(point) or not any(point.syntax.faults) or _fills(text, point):
        return point.syntax
    column = len(point.before)
    mended = (_with(point, " " * (level - column) + line) for level in _levels(point) for line in _LINES)
    return min((point.syntax, *mended), key=lambda syntax: syntax.faults)


def _is_open(point: InsertionPoint) -> bool:
    """Whether a statement of Python belongs here, on a line with nothing else on it."""
    is_statement = point.syntax.checks_blocks and point.scope.kind is CursorKind.STATEMENT
    return is_statement and not (point.before.strip() or point.rest.strip())


def _levels(point: InsertionPoint) -> set[int]:
    """Columns at which a statement may begin, by the lines above and below."""
    above, column = len(indentation(point.line_above)), len(point.before)
    around = {above, above + point.indent_width, *(len(indentation(line)) for line in point.below[:1])}
    return {level for level in around if level >= column}


def _with(point: InsertionPoint, text: str) -> Syntax:
    before, after = point.syntax.text[: point.offset], point.syntax.text[point.offset :]
    return reparse(point.syntax, before + text + after)


def moved(text: str, by: int) -> str:
    """Every line that is not blank with so many more spaces before it, or fewer, as far as it has them."""
    return "\n".join(
        " " * max(0, len(indentation(line)) + by) + line.lstrip(" ") if line.strip() else line
        for line in text.split("\n")
    )
