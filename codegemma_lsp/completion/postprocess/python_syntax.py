"""Whether a suggestion keeps Python valid by Python's own compiler, which is stricter than the grammar of tree-sitter.

The grammar accepts two statements on a line without a separator, ``from a import b,`` and ``def f(a=1, z)``.

What is compiled is the smallest part of the file that can be judged alone. It is a part of the file and not of the
excerpt, from which lines may be missing.
"""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.closing_brackets import only_closers
from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.completion.postprocess.python_parser import is_program, may_end_here, may_go_on
from codegemma_lsp.completion.postprocess.python_units import Unit, in_triple_quotes, units
from codegemma_lsp.syntax import CursorKind
from codegemma_lsp.text import indentation, line_end, line_start

_LONGEST_SECOND_LOOK = 12_000
"""Code points of a file that is compiled although a part of it has been found half-typed."""
_PLACEHOLDERS = ("pass", "if 1:", "else:", "except:", "case _:")
"""Lines that can stand in place of any half-typed statement or header."""
_LONGEST_ESCAPE = 10
_MAY_END_TEXT = re.compile(r"[\"'\\{}]")


def keeps_python_valid(text: str, point: InsertionPoint, overwrites: int) -> bool:
    """Returns False if a suggestion makes valid code around the cursor invalid, or continues a half-typed statement as
    no statement of Python goes.

    Nothing is said of other languages, and of code that is too long, or wrong before the cursor, or not in the version
    of Python that runs this.
    """
    if point.syntax.language is None or point.syntax.language.name != "python":
        return True
    if _stays_in_text(text, point):
        return True
    smallest: Unit | None = None
    for unit in units(text, point):
        smallest = smallest or unit
        if is_program(unit.with_suggestion(text, overwrites)):
            return True
        if is_program(unit.text):
            return False
        if unit.is_half_typed and len(point.text) > _LONGEST_SECOND_LOOK:
            return _continues(text, point, overwrites, unit)
    return smallest is None or _continues(text, point, overwrites, smallest)


def _stays_in_text(text: str, point: InsertionPoint) -> bool:
    """Returns whether the cursor is certainly in a comment or a string, and a suggestion does not end it. The grammar
    is not certain of it in an excerpt, which may begin within a string."""
    if _MAY_END_TEXT.search(text) or "\\" in point.before[-_LONGEST_ESCAPE:]:
        return False
    if in_triple_quotes(point.text, point.text_offset):
        return True
    is_text = point.scope.kind in (CursorKind.STRING, CursorKind.COMMENT) and "\n" not in text
    return is_text and len(point.syntax.text) == len(point.text)


def _continues(text: str, point: InsertionPoint, overwrites: int, unit: Unit) -> bool:
    """Returns whether a half-typed statement may go on with a suggestion. A statement that was wrong before may."""
    if not unit.is_half_typed:
        return True
    rest, begun = point.rest[overwrites:], unit.text[: unit.offset] + text
    if not only_closers(rest):
        return may_go_on(begun)
    if point.cut_off or point.scope.kind is CursorKind.STRING:
        return may_go_on(begun + rest)
    return may_end_here(begun + rest) and not (is_program(begun + rest) and _lines_below_fit_another(unit))


def _lines_below_fit_another(unit: Unit) -> bool:
    """Returns whether the lines below would be valid below some other line than the cursor's."""
    start, end = line_start(unit.text, unit.offset), line_end(unit.text, unit.offset)
    indent = indentation(unit.text[start : unit.offset])
    return any(is_program(f"{unit.text[:start]}{indent}{line}{unit.text[end:]}") for line in _PLACEHOLDERS)
