"""The names near a cursor of which an editor can tell where they are defined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codegemma_lsp.context.wanted import AT_DOT, IN_CALL, RINGS, called_at, object_before
from codegemma_lsp.document import Document, Span
from codegemma_lsp.syntax import identifiers, language_name, parse

MOST_SYMBOLS = 8
"""The number of names that an editor is asked of at once."""
_LINES = 5
"""The number of lines above and below a cursor in which names are asked for."""
_REACH = 4_000
"""Code points before and after a cursor in which these lines are."""
_LAST_NAME = re.compile(r"[^\W\d]\w*$")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A name that begins at ``offset`` (code points) of a document, how much it would help to know it, from 0 to 1, and
    why."""

    name: str
    offset: int
    value: float
    reason: str


def symbols_near(document: Document, offset: int, path: str) -> tuple[Symbol, ...]:
    """Returns the names near an offset of a document at ``path``, at most ``MOST_SYMBOLS``, each one once.

    The object before a dot comes first, then the function of a call that is open, then names by their distance. There
    are none in a language that has no grammar here.
    """
    found: dict[str, Symbol] = {}
    for symbol in _all(document.text, offset, language_name(document.language, path)):
        found.setdefault(symbol.name, symbol)
    return tuple(found.values())[:MOST_SYMBOLS]


def _all(text: str, offset: int, language: str) -> Iterator[Symbol]:
    if (span := object_before(text, offset)) is not None and (last := _last_name(text, span)) is not None:
        yield _symbol(text, last, AT_DOT, "a member of {} is written at the cursor")
    if (span := called_at(text, offset)) is not None and (last := _last_name(text, span)) is not None:
        yield _symbol(text, last, IN_CALL, "{} is called at the cursor")
    start, part = _lines_around(text, offset)
    here = offset - start

    def distance(span: Span) -> tuple[int, int]:
        first, last = sorted((span.start, here))
        return part.count("\n", first, last), last - first

    for span in sorted(identifiers(parse(part, language)), key=distance):
        near = next(value for lines, value in RINGS if distance(span)[0] <= lines)
        yield _symbol(text, Span(start + span.start, start + span.end), near, "{} is used near the cursor")


def _symbol(text: str, span: Span, value: float, reason: str) -> Symbol:
    name = text[span.start : span.end]
    return Symbol(name=name, offset=span.start, value=value, reason=reason.format(name))


def _last_name(text: str, span: Span) -> Span | None:
    """Returns the last of the names in a span that dots join."""
    match = _LAST_NAME.search(text, max(span.start, span.end - _LONGEST_NAME), span.end)
    return Span(*match.span()) if match is not None else None


def _lines_around(text: str, offset: int) -> tuple[int, str]:
    """Returns the lines around an offset, and where they begin."""
    above = text[max(0, offset - _REACH) : offset].split("\n")[-_LINES - 1 :]
    below = text[offset : offset + _REACH].split("\n")[: _LINES + 1]
    before = "\n".join(above)
    return offset - len(before), before + "\n".join(below)
