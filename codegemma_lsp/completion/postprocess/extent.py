"""Limits a suggestion to what the cursor's position asks for, and removes unfinished lines."""

from __future__ import annotations

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.completion.stopping import heads_what_follows
from codegemma_lsp.syntax import CursorKind, Extent, completion_end, reparse


def within_extent(text: str, point: InsertionPoint) -> str:
    """Returns the line, the statement or the block that the cursor's position asks for, without what follows it."""
    if point.extent is Extent.LINE:
        return text.split("\n", 1)[0]
    ending = "" if point.cut_off else "\n"
    grown = reparse(point.syntax, point.syntax.text[: point.offset] + text + ending)
    end = completion_end(grown, point.offset, point.scope, point.extent, point.syntax)
    return text if end is None else text[: end - point.offset]


def without_a_block_that_is_there(text: str, point: InsertionPoint) -> str:
    """Returns only the block's header if the statements of the block already stand below the cursor."""
    if point.scope.kind is not CursorKind.STATEMENT or not point.below:
        return text
    return text.split("\n", 1)[0] if heads_what_follows(point.before + text, point.below[0], point.syntax) else text


def without_unfinished_line(text: str, point: InsertionPoint) -> str:
    """Returns the text without a last line that was cut off, or that opens a block without a statement."""
    lines = text.split("\n")
    if point.cut_off and len(lines) > 1:
        lines.pop()
    while lines and not lines[-1].strip():
        lines.pop()
    opens_block = bool(lines) and lines[-1].rstrip().endswith(":") and point.syntax.colon_opens_block
    if opens_block and (len(lines) > 2 or any(line.strip() for line in lines[:-1])):
        lines.pop()
    return "\n".join(lines)
