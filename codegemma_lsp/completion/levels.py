"""Indentation where it is part of the language and the cursor leaves it open: at the start of an empty line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegemma_lsp.syntax import Place as Kind
from codegemma_lsp.syntax import indentation, reparse

if TYPE_CHECKING:
    from codegemma_lsp.completion.clean import Place


def at_a_level_that_fits(text: str, place: Place) -> str:
    """In Python, at the level that leaves the fewest faults between the lines around it, of several the nearest to
    the model's own: a small model knows the statement better than its depth."""
    language = place.syntax.language
    if language is None or language.name != "python" or place.scope.place is not Kind.STATEMENT:
        return text
    own = indentation(text)
    if place.before or place.rest.strip() or "\t" in own + place.indent_around:
        return text
    around = {len(indentation(line)) for line in (place.line_above, *place.below[:1])}
    levels = around | {len(indentation(place.line_above)) + place.indent_width}

    def faults(level: int) -> tuple[tuple[int, int], int]:
        before, after = place.syntax.text[: place.offset], place.syntax.text[place.offset :]
        grown = reparse(place.syntax, before + moved(text, level - len(own)) + after)
        return grown.faults, abs(level - len(own))

    return moved(text, min(levels | {len(own)}, key=faults) - len(own))


def moved(text: str, by: int) -> str:
    """Every line that is not blank with so many more spaces before it, or fewer, as far as it has them."""
    return "\n".join(
        " " * max(0, len(indentation(line)) + by) + line.lstrip(" ") if line.strip() else line
        for line in text.split("\n")
    )
