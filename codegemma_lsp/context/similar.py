"""Code that is like what stands around the cursor, with the lines that follow it there.

The lines before a cursor say what is being written; where a project has written the same before, what came next is
likely to come next again (Zhang et al. 2023, RepoCoder, arXiv:2303.12570). An index finds candidates, and the share of
common names decides (Jaccard similarity of windows).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece, Source
from codegemma_lsp.syntax import language_name

_NAME = re.compile(r"[^\W\d]\w{2,39}")
_MOST_DIGITS = 4
"""The number of digits from which a name is a key or a hash rather than a word."""
_BEFORE = 10
"""The number of lines up to the cursor that are compared."""
_FOLLOWING = 8
"""The number of lines that are shown after those that are alike."""
_CANDIDATES = 12
_FEWEST_NAMES = 5
"""Lines with fewer names are like too many others."""
_DUPLICATE = 0.8
"""The share of equal lines from which a piece tells nothing new."""
_SCRIPTS = frozenset({"javascript", "typescript", "tsx"})
"""Languages whose code is alike."""
_ALIKE, _HARDLY_ALIKE = 0.5, 0.2
"""The shares of common names at which a piece is worth 0.75 and 0.25."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Lines ``first`` to ``last`` of a file, counted from 0 and both inside."""

    path: str
    first: int
    last: int


Search = Callable[[Collection[str], int], Sequence[Hit]]
"""Returns at most that many places that have the most of some names, the best first."""


def names_in(text: str) -> frozenset[str]:
    """Returns the names in a text, and the keywords and words of its comments with them."""
    found = frozenset(_NAME.findall(text))
    return frozenset(name for name in found if sum(map(str.isdigit, name)) < _MOST_DIGITS)


def similar_code(search: Search) -> Source:
    """Returns the source of code that is like the lines up to a cursor."""

    def similar(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
        names = names_in(_lines_before(cursor))
        if len(names) < _FEWEST_NAMES:
            return
        hits = [hit for hit in search(names, 4 * _CANDIDATES) if _may_help(hit, cursor)][:_CANDIDATES]
        pieces = [piece for hit in hits if (piece := _piece(hit, names, files))]
        if not pieces:
            return
        own = frozenset(map(str.strip, cursor.text.split("\n")))
        best = sorted(pieces, key=lambda piece: -piece.value)
        yield from islice((piece for piece in best if not _is_duplicate(piece, own)), 1)

    return similar


def _is_like(language: str, other: str) -> bool:
    return language == other or {language, other} <= _SCRIPTS


def _may_help(hit: Hit, cursor: CursorInFile) -> bool:
    return hit.path != cursor.path and _is_like(language_name("", hit.path), cursor.language)


def _lines_before(cursor: CursorInFile) -> str:
    lines = cursor.text[: cursor.offset].split("\n")
    return "\n".join(lines[-_BEFORE:])


def _piece(hit: Hit, names: frozenset[str], files: Files) -> Piece | None:
    """Returns the lines of a hit that are most alike, and what follows them, or None if nothing is alike there."""
    text = files.read(hit.path)
    if text is None:
        return None
    lines = text.split("\n")[hit.first : hit.last + 1 + _FOLLOWING]
    alike, start = max(_windows(lines, names), default=(0.0, 0))
    shown = "\n".join(lines[start : start + _BEFORE + _FOLLOWING]).rstrip().lstrip("\n")
    if alike <= _HARDLY_ALIKE or not shown:
        return None
    return Piece(
        path=hit.path,
        text=f"{shown}\n",
        kind=Kind.SIMILAR,
        reason=f"is like the code before the cursor ({alike:.0%} of the names are common)",
        names=names & names_in(shown),
        value=_value(alike),
    )


def _is_duplicate(piece: Piece, own: frozenset[str]) -> bool:
    """Returns whether most lines of a piece are in the cursor's file as well, as in a copy of it."""
    lines = [line for line in map(str.strip, piece.text.split("\n")) if line]
    return sum(line in own for line in lines) >= _DUPLICATE * len(lines)


def _windows(lines: Sequence[str], names: frozenset[str]) -> Iterator[tuple[float, int]]:
    """Yields the share of common names of each window of ``_BEFORE`` lines, and its first line."""
    of_lines = [names_in(line) for line in lines]
    for start in range(max(1, len(lines) - _BEFORE + 1)):
        here = frozenset[str]().union(*of_lines[start : start + _BEFORE])
        yield len(here & names) / len(here | names), start


def _value(alike: float) -> float:
    """Returns the value of a piece: a straight line through the two shares above, at most 0.9."""
    return min(0.9, 0.25 + 0.5 * (alike - _HARDLY_ALIKE) / (_ALIKE - _HARDLY_ALIKE))
