"""Finds the smallest edits between a region and its replacement, by lines, and within lines by words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from codegemma_lsp.document import Edit, Span
from codegemma_lsp.text import common_prefix_length, common_suffix_length

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_WORDS, _MOST_LINES = 300, 2_000
"""The numbers of words and lines beyond which a difference is replaced as a whole, because the comparison takes more
than quadratic time."""
_ALIKE = 0.5
"""The share of equal characters below which a line is replaced as a whole, because scattered words do not help a
reader."""


def minimal_edits(text: str, region: Span, new: str, newline: str) -> tuple[Edit, ...]:
    """Returns the edits of ``text`` after which ``region`` reads as ``new``, whose lines end with LF. They are
    ascending and disjoint.

    Lines that stay keep their own line ends, and blank lines their blanks. New lines end with ``newline``.
    """
    old = _lines(text, region)
    lines = new.split("\n")
    found: list[Edit] = []
    keys = [_key(text[s.start : s.end]) for s, _ in old]
    for tag, i1, i2, j1, j2 in _opcodes(keys, [_key(line) for line in lines], _MOST_LINES):
        if tag == "equal":
            continue
        if tag == "replace" and i2 - i1 == j2 - j1:
            for (span, _), line in zip(old[i1:i2], lines[j1:j2], strict=True):
                found += _words(text, span, line)
        elif tag == "replace":
            span = Span(old[i1][0].start, old[i2 - 1][0].end)
            found.append(Edit(span, newline.join(lines[j1:j2])))
        elif tag == "insert":
            found.append(_inserted(old, i1, lines[j1:j2], newline))
        else:
            found.append(Edit(_removed(old, i1, i2), ""))
    return tuple(found)


def _opcodes(old: list[str], new: list[str], most: int) -> list[tuple[str, int, int, int, int]]:
    """Returns what ``SequenceMatcher.get_opcodes`` does. If more than ``most`` items differ between the common
    beginning and end, these become one replacement."""
    head = common_prefix_length(old, new)
    tail = common_suffix_length(old, new, min(len(old), len(new)) - head)
    old_end, new_end = len(old) - tail, len(new) - tail
    if head < min(old_end, new_end) and max(old_end, new_end) - head > most:
        middle = [("replace", head, old_end, head, new_end)]
    else:
        found = SequenceMatcher(None, old[head:old_end], new[head:new_end], False).get_opcodes()
        middle = [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in found]
    return [("equal", 0, head, 0, head), *middle, ("equal", old_end, len(old), new_end, len(new))]


def _lines(text: str, region: Span) -> list[tuple[Span, int]]:
    """Returns the span of each line's text, and the offset after its line end."""
    found = []
    for match in _LINE.finditer(text, region.start, region.end):
        found.append((Span(match.start(1), match.end(1)), match.end(2)))
        if match.end(2) == match.end(1):
            break
    return found


def _key(line: str) -> str:
    return line if line.strip() else ""


def _inserted(old: list[tuple[Span, int]], at: int, lines: list[str], newline: str) -> Edit:
    if at < len(old):
        start = old[at][0].start
        return Edit(Span(start, start), newline.join(lines) + newline)
    end = old[-1][0].end
    return Edit(Span(end, end), newline + newline.join(lines))


def _removed(old: list[tuple[Span, int]], first: int, end: int) -> Span:
    """Returns the span of lines with their line ends. At the region's end, where the last line has none, it includes
    the line end before them."""
    if end < len(old):
        return Span(old[first][0].start, old[end][0].start)
    start = old[first - 1][0].end if first else old[first][0].start
    return Span(start, old[end - 1][0].end)


def _words(text: str, span: Span, new: str) -> Iterator[Edit]:
    old = text[span.start : span.end]
    before, after = _WORD.findall(old), _WORD.findall(new)
    opcodes = _opcodes(before, after, _MOST_WORDS)
    same = sum(len("".join(before[i1:i2])) for tag, i1, i2, _, _ in opcodes if tag == "equal")
    if 2 * same < _ALIKE * (len(old) + len(new)):
        yield Edit(span, new)
        return
    starts = [span.start]
    for word in before:
        starts.append(starts[-1] + len(word))
    for tag, i1, i2, j1, j2 in opcodes:
        if tag != "equal":
            yield Edit(Span(starts[i1], starts[i2]), "".join(after[j1:j2]))


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    """Returns the text after disjoint edits in ascending order."""
    assert all(a.span.end <= b.span.start for a, b in pairwise(edits))
    for edit in reversed(edits):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
