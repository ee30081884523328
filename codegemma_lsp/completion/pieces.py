"""Finds the part of an unfinished text that may be shown already: it ends after a whole word and passes the filters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from codegemma_lsp.completion.postprocess import Insertion, InsertionPoint, only_closers, postprocess
from codegemma_lsp.syntax import scan

_WORD = re.compile(r"\w")
_BOUNDARY = re.compile(r"(?<=\w)(?=\W)|(?<=[)\]}\"'`])|(?=\n)")
"""The places where a name, a call, a string or a line may end."""
_TRIES = 3
"""The number of beginnings that are tried. Each one costs a parse or two."""


def piece_of(written: str, point: InsertionPoint) -> Insertion:
    """Returns the longest beginning of an unfinished text that is complete in itself and may be shown, or an empty
    insertion.

    The last word of the text may still grow, so it is left out. A line that begins like the next line of the document
    may still become equal to it, so it is not shown yet.
    """
    for beginning in islice(beginnings(written, point), _TRIES):
        if _may_be_the_line_below(beginning, point):
            continue
        insertion = postprocess(beginning, point)
        if _WORD.search(insertion.text):
            return insertion
    return Insertion("")


def beginnings(written: str, point: InsertionPoint) -> Iterator[str]:
    """Yields beginnings of a text, the longest first.

    Each ends after a name, a call, a string or a line. It leaves no bracket or string open that it opened, unless what
    follows the cursor may close it.
    """
    fits_into = only_closers(point.rest) and point.rest.strip()
    quote = scan(point.before, "", point.quotes).quote
    for boundary in reversed(list(_BOUNDARY.finditer(written))):
        beginning = written[: boundary.start()]
        if not beginning.strip():
            return
        found = scan(beginning, quote, point.quotes)
        if fits_into or not (found.unclosed or (found.quote and found.quote != quote)):
            yield beginning


def _may_be_the_line_below(beginning: str, point: InsertionPoint) -> bool:
    line = (point.before + beginning).strip()
    return bool(point.below) and "\n" not in line and point.below[0].strip().startswith(line)
