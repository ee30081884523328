"""Closing brackets and quotes: those that a text brings, and those that stand after the cursor already."""

from __future__ import annotations

import re

from codegemma_lsp.syntax import scan

_CLOSERS_ONLY = re.compile(r"[\s)\]}>\"'`;:,]*$")
_TRIPLE = frozenset({'"""', "'''"})


def only_closers(rest: str) -> bool:
    """Whether what stands after the cursor on its line is nothing that a suggestion has to fit around."""
    return bool(_CLOSERS_ONLY.match(rest))


def overwritten_candidates(text: str, before: str, rest: str, quotes: str) -> tuple[int, ...]:
    """How many characters after the cursor a suggestion may bring itself, the likeliest first, 0 the last.

    These are brackets and quotes that the editor put there while the user typed: as many as the suggestion closes
    beyond those that it opens; all, or the first of them, where it ends with them; a first ``>`` that it holds.
    """
    closers = rest.rstrip()
    if not closers or not only_closers(rest):
        return (0,)
    sizes = [_by_count(text, before, closers, quotes)]
    if closers in _TRIPLE and text.endswith(closers):
        sizes.insert(0, len(closers))
    said = "".join(text.split())
    for size in range(len(closers), 0, -1):
        if said.endswith("".join(closers[:size].split())):
            sizes.append(size)
            break
    lead = len(closers) - len(closers.lstrip())
    if closers[lead] == ">" and ">" in text:
        sizes += [len(closers), lead + 1]
    return tuple(dict.fromkeys([*sizes, 0]))


def _by_count(text: str, before: str, closers: str, quotes: str) -> int:
    at = 0
    for _, char in scan(text, scan(before, "", quotes).quote, quotes).unmatched:
        blanks = len(closers) - at - len(closers[at:].lstrip())
        if at + blanks < len(closers) and closers[at + blanks] == char:
            at += blanks + 1
    if at == len(closers) - 1 and closers[-1] in ";:," and text.endswith(closers[-1]):
        at += 1
    return at
