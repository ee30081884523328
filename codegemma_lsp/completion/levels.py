"""Indentation where it is part of the language and the cursor leaves it open: at the start of an empty line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codegemma_lsp.syntax import Place as Kind
from codegemma_lsp.syntax import Syntax, indentation, reparse

if TYPE_CHECKING:
    from codegemma_lsp.completion.clean import Place


_LINES = ("pass", "if x:", "try:", "except:")
"""What may be missing of a file that a line would mend: a block's statement, a header of one that has lost its own."""
_FILES_END = re.compile(r"if __name__\b")
"""What stands at the file's own level or nowhere."""


def at_a_level_that_fits(text: str, place: Place) -> str:
    """In Python, at the level that leaves the fewest faults between the lines around it, of several the nearest to
    the model's own: a small model knows the statement better than its depth. Nothing, where it is the file's end and
    something is unfinished above."""
    own = indentation(text)
    if not _is_open(place) or place.before or "\t" in own + place.indent_around:
        return text

    def faults(level: int) -> tuple[tuple[int, int], int]:
        return _with(place, moved(text, level - len(own))).faults, abs(level - len(own))

    level = min(_levels(place) | {len(own)}, key=faults)
    if _FILES_END.match(text.lstrip()) and (level or _is_unfinished(place)):
        return ""
    return moved(text, level - len(own))


def _fills(text: str, place: Place) -> bool:
    """Whether a text stands within the block that the line above has opened and that holds nothing yet."""
    level = len(indentation(place.line_above))
    filled = bool(place.below) and len(indentation(place.below[0])) > level
    return place.line_above.rstrip().endswith(":") and not filled and len(place.before) + len(indentation(text)) > level


def _is_unfinished(place: Place) -> bool:
    """Whether the line above is a header, or ends the documentation of a function that has nothing else yet."""
    above = place.line_above
    if above.rstrip().endswith(":"):
        return True
    if not above.rstrip().endswith(('"""', "'''")):
        return False
    lines = place.syntax.text[max(0, place.offset - 4000) : place.offset].split("\n")
    outer = (line for line in reversed(lines) if line.strip() and len(indentation(line)) < len(indentation(above)))
    return next(outer, "").lstrip().startswith(("def ", "async def "))


def attainable(place: Place, text: str) -> Syntax:
    """The file as good as one line here could make it, by which a suggestion is judged: where a block lacks its
    statement or its header, one that leaves it so is no worse than before, and still wrong. Where ``text`` begins a
    block that is empty yet, with a comment or a header of its own, more is to come."""
    if not _is_open(place) or not any(place.syntax.faults) or _fills(text, place):
        return place.syntax
    column = len(place.before)
    mended = (_with(place, " " * (level - column) + line) for level in _levels(place) for line in _LINES)
    return min((place.syntax, *mended), key=lambda syntax: syntax.faults)


def _is_open(place: Place) -> bool:
    """Whether a statement of Python belongs here, on a line with nothing else on it."""
    is_statement = place.syntax.language_name == "python" and place.scope.place is Kind.STATEMENT
    return is_statement and not (place.before.strip() or place.rest.strip())


def _levels(place: Place) -> set[int]:
    """Columns at which a statement may begin, by the lines above and below."""
    above, column = len(indentation(place.line_above)), len(place.before)
    around = {above, above + place.indent_width, *(len(indentation(line)) for line in place.below[:1])}
    return {level for level in around if level >= column}


def _with(place: Place, text: str) -> Syntax:
    before, after = place.syntax.text[: place.offset], place.syntax.text[place.offset :]
    return reparse(place.syntax, before + text + after)


def moved(text: str, by: int) -> str:
    """Every line that is not blank with so many more spaces before it, or fewer, as far as it has them."""
    return "\n".join(
        " " * max(0, len(indentation(line)) + by) + line.lstrip(" ") if line.strip() else line
        for line in text.split("\n")
    )
