"""Postprocessing turns the model's text into an insertion that fits the code around the cursor, or into none.

Each filter takes the text and the insertion point, and returns a text that is no longer. An empty text ends the chain.
The order of the filters matters. The rules follow Tabby, llama.vim and Continue, but use the syntax tree where those
compare indentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from codegemma_lsp.completion.postprocess.characters import printable
from codegemma_lsp.completion.postprocess.closing_brackets import only_closers
from codegemma_lsp.completion.postprocess.extent import (
    within_extent,
    without_a_block_that_is_there,
    without_unfinished_line,
)
from codegemma_lsp.completion.postprocess.indentation import at_a_level_that_fits
from codegemma_lsp.completion.postprocess.insertion_point import Insertion, InsertionPoint
from codegemma_lsp.completion.postprocess.repetition import not_already_below, without_lines_below, without_loops
from codegemma_lsp.completion.postprocess.rest_of_line import fitted_to_the_rest
from codegemma_lsp.completion.postprocess.syntax_errors import without_new_errors
from codegemma_lsp.completion.postprocess.whitespace import edges, from_the_cursors_column, indented_as_the_file
from codegemma_lsp.syntax import CursorKind

__all__ = ["FILTERS", "Filter", "Insertion", "InsertionPoint", "only_closers", "postprocess"]

Filter: TypeAlias = Callable[[str, InsertionPoint], str]

FILTERS: tuple[Filter, ...] = (
    printable,
    from_the_cursors_column,
    within_extent,
    without_a_block_that_is_there,
    without_unfinished_line,
    without_loops,
    at_a_level_that_fits,
    not_already_below,
    without_lines_below,
    fitted_to_the_rest,
    edges,
    indented_as_the_file,
)


def postprocess(text: str, point: InsertionPoint) -> Insertion:
    """Returns the part of a model's text that may be inserted at ``point``.

    Models miss the level of a block more often than its first statement. If nothing of several lines fits, the first
    one is therefore tried alone.
    """
    found, first = _filtered(text, point), _first_line(text)
    if found.text or first == text or point.scope.kind is not CursorKind.STATEMENT:
        return found
    return _filtered(first, point)


def _first_line(text: str) -> str:
    """Returns a text up to the end of its first line that is not blank, unless more than one blank line precedes it."""
    blank = len(text) - len(text.lstrip())
    end = text.find("\n", blank)
    return text if end < 0 or text.count("\n", 0, blank) > 1 else text[:end]


def _filtered(text: str, point: InsertionPoint) -> Insertion:
    for apply in FILTERS:
        text = apply(text, point)
        if not text.strip():
            return Insertion("")
    found = without_new_errors(text, point)
    # What is left without the errors may be no more than what stands below.
    return found if found.text and not_already_below(found.text, point) else Insertion("")
