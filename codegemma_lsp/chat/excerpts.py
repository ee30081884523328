"""The part of a long file that a question is about."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from codegemma_lsp.prompt import Tokenizer
from codegemma_lsp.syntax import Section, Syntax, sections

_WORD = re.compile(r"[^\W\d_]+|\d+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_IN_NAME = 3.0
"""How much more a word counts in the name of a definition than in its text."""
_FOR_CONSTANTS, _FOR_HEADS = 6, 3
"""The share of the tokens that statements of one line, such as constants, and that the heads of definitions may take is
one in so many. If they need more, they are shown where the question is about them."""
_SHORTEST_STEM = 3
_LONG_WORD = 5
_FEW_LINES = 10
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "code",
        "do",
        "does",
        "file",
        "for",
        "from",
        "function",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "line",
        "method",
        "my",
        "not",
        "of",
        "on",
        "or",
        "our",
        "please",
        "show",
        "tell",
        "that",
        "the",
        "their",
        "there",
        "these",
        "this",
        "to",
        "use",
        "used",
        "uses",
        "using",
        "was",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "with",
        "you",
        "class",
        "explain",
        "return",
        "returns",
        "value",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines of a text, with dots where others are missing, and how many these are."""

    text: str
    missing: int


def part_about(syntax: Syntax, question: str, tokens: int, tokenizer: Tokenizer) -> Part:
    """Returns what a question is about, of about ``tokens`` tokens at most.

    These are the definitions and paragraphs that share words with the question, whole, the best match first (the words
    of identifiers count, and rare ones count more), statements of one line outside of definitions, and the first lines
    of the other definitions. What is left of the tokens goes to the lines at the beginning.
    """
    lines, found = syntax.text.split("\n"), sections(syntax)
    page = _Page([len(tokenizer.encode(line + "\n")) for line in lines], tokens)
    constants = [
        one.first for one in found if not one.name and not "".join(lines[one.first + 1 : one.last + 1]).strip()
    ]
    page.show_if_cheap(constants, tokens // _FOR_CONSTANTS)
    page.show_if_cheap([one.head for one in found if one.name], tokens // _FOR_HEADS)
    ranked = _ranked(lines, found, question)
    for one in ranked:
        page.show(one)
    for one in (*ranked[:1], *found):
        page.show_start(one)
    return Part(text="\n".join(_with_dots(lines, page.shown)), missing=len(lines) - len(page.shown))


class _Page:
    """The numbers of the lines that are shown, within a number of tokens. ``costs`` are those of all lines."""

    def __init__(self, costs: Sequence[int], tokens: int) -> None:
        self._costs, self._left = costs, tokens
        self.shown: set[int] = set()

    def show_if_cheap(self, lines: Sequence[int], most: int) -> None:
        if self._cost(lines) <= min(most, self._left):
            self._add(lines)

    def show(self, section: Section) -> None:
        """Shows a whole section, if it fits."""
        self.show_if_cheap(range(section.first, section.last + 1), self._left)

    def show_start(self, section: Section) -> None:
        """Shows as much of a section as fits."""
        for line in range(section.first, section.last + 1):
            if self._cost([line]) > self._left:
                return
            self._add([line])

    def _cost(self, lines: Sequence[int]) -> int:
        return sum(self._costs[line] for line in lines if line not in self.shown)

    def _add(self, lines: Sequence[int]) -> None:
        self._left -= self._cost(lines)
        self.shown.update(lines)


def _with_dots(lines: Sequence[str], shown: set[int]) -> list[str]:
    part: list[str] = []
    is_missing = False
    for at, line in enumerate(lines):
        if at in shown:
            part.append(line)
        elif not is_missing:
            part.append("…")
        is_missing = at not in shown
    return part


def _ranked(lines: Sequence[str], found: Sequence[Section], question: str) -> list[Section]:
    """Returns the sections that share words with a question, the best match first."""
    counts = [Counter(_stems("\n".join(lines[one.first : one.last + 1]))) for one in found]
    known = frozenset(word for count in counts for word in count)
    scores = [0.0] * len(found)
    for asked in _words(question) - _COMMON:
        alike = {word for word in known if _is_in(asked, word)}
        matches = [sum(count[word] for word in alike & count.keys()) for count in counts]
        rarity = math.log(1 + len(found) / max(1, sum(1 for match in matches if match)))
        for at, match in enumerate(matches):
            if match:
                is_named = any(_is_in(asked, word) for word in _words(found[at].name))
                scores[at] += rarity * (_IN_NAME if is_named else 1 + math.log(match))
    scores = [score / _length_weight(one) for score, one in zip(scores, found, strict=True)]
    order = sorted(range(len(found)), key=lambda at: (-scores[at], at))
    return [found[at] for at in order if scores[at] > 0]


def _length_weight(section: Section) -> float:
    """Returns by how much less a match counts in long lines: the same words are in them by chance."""
    return 1 + math.log1p((section.last - section.first) / _FEW_LINES)


def _is_in(asked: str, word: str) -> bool:
    """Returns whether a word is the one asked for, or is joined of it and others without a sign of that, as in
    MAXHEADERS."""
    return asked == word or (len(asked) >= _LONG_WORD and asked in word)


def _words(text: str) -> frozenset[str]:
    return frozenset(_stems(text))


def _stems(text: str) -> list[str]:
    """Returns the words of a text and of its identifiers, in lower case and without their commonest endings."""
    return [_stem(part.lower()) for word in _WORD.findall(text) for part in _PARTS.findall(word)]


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word
