"""Removes the lines of a suggestion that would add syntax errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from codegemma_lsp.completion.postprocess.closing_brackets import overwritten_candidates
from codegemma_lsp.completion.postprocess.indentation import attainable
from codegemma_lsp.completion.postprocess.insertion_point import Insertion, InsertionPoint
from codegemma_lsp.completion.postprocess.python_syntax import keeps_python_valid
from codegemma_lsp.syntax import Extent, Syntax, parse, reparse, scan
from codegemma_lsp.text import indentation

_LONGEST_FILE = 200_000
"""Code points of a file that is parsed whole."""


def without_new_errors(text: str, point: InsertionPoint) -> Insertion:
    """Returns as many lines of the suggestion as add no syntax error, or an empty insertion.

    The insertion overwrites as much of the rest of the line as gives the fewest errors. It is empty if every length
    adds an error, or if inserting it would change nothing.
    """
    kept, reference = text, attainable(point, text)
    while kept.strip():
        best = best_fit(kept, point)
        changes = kept != point.rest[: best.overwrites]
        is_sound = best.grown.no_worse_than(reference) and not _is_a_header_alone(kept, best, point)
        if (
            changes
            and is_sound
            and _keeps_file_sound(kept, point, best)
            and keeps_python_valid(kept, point, best.overwrites)
        ):
            return Insertion(kept, best.overwrites)
        kept = kept.rpartition("\n")[0].rstrip()
    closing = _end_of_string(text, point)
    return without_new_errors(text[:closing], point) if closing else Insertion("")


def _keeps_file_sound(text: str, point: InsertionPoint, fit: Fit) -> bool:
    """Returns False if a file without errors gets some, although an excerpt of it did not get more. An excerpt that
    begins or ends within a string or a statement has errors of its own, which hide those of a suggestion."""
    if len(point.text) == len(point.syntax.text) or not _errs_elsewhere(point):
        return True
    whole = _whole(point.text, point.syntax.language_name)
    at = point.text_offset
    taken = point.text[:at] + text + point.text[at + fit.overwrites :]
    return bool(whole.error_count) or not parse(taken, whole.language_name, whole, _LONGEST_FILE).error_count


def _errs_elsewhere(point: InsertionPoint) -> bool:
    """Returns whether an excerpt has errors that do not begin in the cursor's line."""
    start, end = point.offset - len(point.before), point.offset + len(point.rest)
    starts = [point.syntax.char(error.start_byte) for error in point.syntax.errors()]
    return not all(start <= at <= end for at in starts)


@lru_cache(maxsize=1)
def _whole(text: str, language: str) -> Syntax:
    return parse(text, language, most=_LONGEST_FILE)


def _is_a_header_alone(text: str, fit: Fit, point: InsertionPoint) -> bool:
    """Returns whether a text ends with a block header whose block has no statement in the text or below, so that one
    more statement would repair it. A single line may be such a header."""
    if point.extent is Extent.LINE or not (point.syntax.colon_opens_block and text.endswith(":")):
        return False
    header = (point.before + text).rpartition("\n")[2]
    statement = f"\n{indentation(header)}{' ' * point.indent_width}pass"
    with_it = point.syntax.text[: point.offset] + text + statement + point.syntax.text[point.offset + fit.overwrites :]
    return reparse(point.syntax, with_it).misplaced < fit.grown.misplaced


def _end_of_string(text: str, point: InsertionPoint) -> int:
    """Returns the offset at which a text closes the string that the cursor is in. The result is 0 if the cursor is in
    no string, or if the text does not close it."""
    quote = scan(point.before, "", point.quotes).quote
    unmatched = scan(text, quote, point.quotes).unmatched if quote else ()
    return next((at for at, char in unmatched if char == quote), 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """The number of characters after the cursor that a suggestion overwrites, and the syntax with the suggestion in
    place."""

    overwrites: int
    grown: Syntax


def best_fit(text: str, point: InsertionPoint) -> Fit:
    """Returns the overwriting that leaves the fewest errors, and the likeliest of them if several leave equally few."""
    fits = []
    for size in overwritten_candidates(text, point.before, point.rest, point.quotes):
        end = point.offset + size
        with_it = point.syntax.text[: point.offset] + text + point.syntax.text[end:]
        fits.append(Fit(size, reparse(point.syntax, with_it)))
    return min(fits, key=lambda fit: fit.grown.faults)
