"""No suggestion adds a syntax error that was not there."""

from __future__ import annotations

from dataclasses import dataclass

from codegemma_lsp.completion.postprocess.closing_brackets import overwritten_candidates
from codegemma_lsp.completion.postprocess.indentation import attainable
from codegemma_lsp.completion.postprocess.insertion_point import Insertion, InsertionPoint
from codegemma_lsp.syntax import Syntax, reparse, scan


def without_new_errors(text: str, point: InsertionPoint) -> Insertion:
    """The most lines of the suggestion that add nothing the parser cannot make sense of, over as much of the rest of
    the line as gives the fewest errors; nothing where none does, or where nothing would change."""
    kept, reference = text, attainable(point, text)
    while kept.strip():
        best = best_fit(kept, point)
        if best.grown.no_worse_than(reference) and kept != point.rest[: best.overwrites]:
            return Insertion(kept, best.overwrites)
        kept = kept.rpartition("\n")[0].rstrip()
    closing = _end_of_string(text, point)
    return without_new_errors(text[:closing], point) if closing else Insertion("")


def _end_of_string(text: str, point: InsertionPoint) -> int:
    """Where a text closes the string that the cursor is in; 0 where it is in none, or the text does not."""
    quote = scan(point.before, "", point.quotes).quote
    unmatched = scan(text, quote, point.quotes).unmatched if quote else ()
    return next((at for at, char in unmatched if char == quote), 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """How many characters after the cursor a suggestion overwrites, and the text with it."""

    overwrites: int
    grown: Syntax


def best_fit(text: str, point: InsertionPoint) -> Fit:
    """The overwriting that leaves the fewest errors; the first of the likeliest where several leave as many."""
    fits = []
    for size in overwritten_candidates(text, point.before, point.rest, point.quotes):
        end = point.offset + size
        with_it = point.syntax.text[: point.offset] + text + point.syntax.text[end:]
        fits.append(Fit(size, reparse(point.syntax, with_it)))
    return min(fits, key=lambda fit: fit.grown.faults)
