"""Decides which pieces of other files are worth their tokens at a cursor."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece, Source
from codegemma_lsp.context.secrets import holds_secret
from codegemma_lsp.prompt import OtherFile, Tokenizer, other_file_tokens

log = logging.getLogger(__name__)

LEAST_VALUE: Mapping[Kind, float] = {
    Kind.DEFINITION: 0.5,
    Kind.EDITOR: 0.5,
    Kind.SIBLING: 0.5,
    Kind.EDIT: 0.5,
    Kind.SIMILAR: 0.5,
}
"""The value, by kind, below which a piece is left out. If no piece reaches it, the prompt shows no other files."""

ORDER = (Kind.DEFINITION, Kind.EDITOR, Kind.SIMILAR, Kind.SIBLING, Kind.EDIT)
"""The kinds in the order of the prompt. As in CodeGemma's training, what the file depends on comes first. What changes
most often comes last, so that a change leaves the most in the cache."""

_ALIKE = 0.9
"""The share of common words from which two texts count as equal."""
_TOLD = "another piece tells the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A piece with its cost in tokens, and why it was left out, or "" if it was taken."""

    piece: Piece
    tokens: int
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The pieces that were found for a cursor. ``taken`` is in the order of the prompt, and ``left_out`` has the best
    first."""

    taken: tuple[Weighed, ...] = ()
    left_out: tuple[Weighed, ...] = ()

    @property
    def other_files(self) -> tuple[OtherFile, ...]:
        """The pieces that were taken, as a prompt shows them."""
        return tuple(_other_file(one.piece) for one in self.taken)

    def is_covered_by(self, other: Selection) -> bool:
        """Returns whether another selection has all that this one took, so that the prompt need not change for it."""
        return all(any(_holds(held.piece, one.piece) for held in other.taken) for one in self.taken)


def piece_tokens(piece: Piece, tokenizer: Tokenizer) -> int:
    """Returns the number of tokens that a piece takes in an infill prompt."""
    return other_file_tokens(_other_file(piece), tokenizer)


def _other_file(piece: Piece) -> OtherFile:
    return OtherFile(path=piece.path, text=piece.text, reason=piece.reason)


def gather(
    cursor: CursorInFile,
    files: Files,
    sources: Sequence[Source],
    budget: int,
    cost: Callable[[Piece], int],
    *,
    least_value: Mapping[Kind, float] = LEAST_VALUE,
) -> Selection:
    """Returns ``select`` of what all sources find for a cursor. A source that fails is logged and left out."""
    found = (piece for source in sources for piece in _found(source, cursor, files))
    return select(found, budget, cost, least_value=least_value)


def _found(source: Source, cursor: CursorInFile, files: Files) -> Iterator[Piece]:
    try:
        yield from source(cursor, files)
    except Exception as error:
        log.warning("a source of context failed: %s", type(error).__name__)
        log.debug("details", exc_info=error)


def select(
    pieces: Iterable[Piece],
    budget: int,
    cost: Callable[[Piece], int],
    *,
    least_value: Mapping[Kind, float] = LEAST_VALUE,
) -> Selection:
    """Returns the pieces that are worth their place in ``budget`` tokens. ``cost`` returns the tokens of a piece.

    The piece of the highest value comes first, the shorter one of two that are equal. A piece is left out if its value
    is below ``least_value``, if another one tells the same, if it does not fit, or if it holds a secret. Pieces of a
    kind stand in the order of their value, edits in the order in which they were found.
    """
    weighed = [Weighed(piece=piece, tokens=cost(piece)) for piece in pieces]
    taken: list[Weighed] = []
    left_out: list[Weighed] = []
    for one in sorted(weighed, key=lambda one: (-one.piece.value, one.tokens, one.piece.path)):
        parts = [other for other in taken if one.piece.text != other.piece.text and _holds(one.piece, other.piece)]
        others = [other for other in taken if other not in parts]
        left = budget - sum(other.tokens for other in others)
        if reason := _why_left_out(one, others, left, least_value):
            left_out.append(replace(one, left_out=reason))
        else:
            left_out += (replace(part, left_out=_TOLD) for part in parts)
            taken = [*others, one]
    found = [one for one in weighed if any(one is other for other in taken)]
    found.sort(key=lambda one: (ORDER.index(one.piece.kind), 0 if one.piece.kind is Kind.EDIT else one.piece.value))
    left_out.sort(key=lambda one: -one.piece.value)
    return Selection(taken=tuple(found), left_out=tuple(left_out))


def _why_left_out(one: Weighed, taken: list[Weighed], left: int, least_value: Mapping[Kind, float]) -> str:
    if one.piece.value < least_value[one.piece.kind]:
        return "it would hardly help at this cursor"
    if any(_is_told_by(one.piece, other.piece) for other in taken):
        return _TOLD
    if one.tokens > left:
        return "it does not fit the budget"
    return "it holds what looks like a secret" if holds_secret(one.piece.text) else ""


def _is_told_by(piece: Piece, other: Piece) -> bool:
    """Returns whether ``other``, which is worth more, makes a piece superfluous."""
    if piece.path == other.path and piece.text in other.text:
        return True
    words, others = _words(piece.text), _words(other.text)
    return len(words & others) >= _ALIKE * len(words | others)


def _holds(whole: Piece, part: Piece) -> bool:
    """Returns whether a piece has another one of the same file in it, and not only its first lines."""
    _, found, after = f"\n{whole.text}".partition(f"\n{part.text}")
    return whole.path == part.path and bool(found) and not after.startswith((" ", "\t"))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))
