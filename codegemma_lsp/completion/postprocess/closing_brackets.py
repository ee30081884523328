"""Compares the closing brackets and quotes of a text with those that already follow the cursor."""

from __future__ import annotations

import re

from codegemma_lsp.syntax import scan

_CLOSERS_ONLY = re.compile(r"[\s)\]}>\"'`;:,]*$")
_TRIPLE = frozenset({'"""', "'''"})


def only_closers(rest: str) -> bool:
    """Returns whether only blanks, closing brackets, quotes and punctuation follow the cursor on its line."""
    return bool(_CLOSERS_ONLY.match(rest))


def overwritten_candidates(text: str, before: str, rest: str, quotes: str) -> tuple[int, ...]:
    """Returns how many characters after the cursor a suggestion may overwrite, the likeliest number first and 0 last.

    The editor inserted these brackets and quotes while the user typed. The candidates are as many of them as the
    suggestion closes beyond those that it opens, all or the first of them if the suggestion ends with them, and a first
    ``>`` that the suggestion contains.
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
