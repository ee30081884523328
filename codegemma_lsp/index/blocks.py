"""Divides a file into blocks of some tens of lines, which are about one definition each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from codegemma_lsp.context.similar import names_in
from codegemma_lsp.text import indentation

_FEWEST, _MOST = 8, 40
"""The number of lines from which a block may end at a paragraph, and its maximum number of lines."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines ``first`` to ``last``, counted from 0 and both inside, and the names in them."""

    first: int
    last: int
    names: frozenset[str]


def blocks(text: str) -> Iterator[Block]:
    """Yields the blocks of a text, in order and without a gap.

    A block begins at a paragraph that is not indented more than the block before it, as definitions are. No grammar is
    asked, because an index of many files has no time to parse them.
    """
    lines = text.split("\n")
    starts = [*_starts(lines), len(lines)]
    for first, end in pairwise(starts):
        names = names_in("\n".join(lines[first:end]))
        if names:
            yield Block(first, end - 1, names)


def _starts(lines: Sequence[str]) -> Iterator[int]:
    first, depth = 0, 0
    yield first
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        if at == first:
            depth = len(indentation(line))
        is_paragraph = at > 0 and not lines[at - 1].strip()
        is_next = at - first >= _FEWEST and is_paragraph and len(indentation(line)) <= depth
        if is_next or at - first >= _MOST:
            first, depth = at, len(indentation(line))
            yield first
