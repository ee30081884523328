"""Where a middle is cut out of a text: the ways in which editors ask and benchmarks test."""

from __future__ import annotations

import random
import re

OPENERS = {"(": ")", "[": "]", "{": "}"}


def span(text: str, rng: random.Random) -> tuple[int, int]:
    """A middle to leave out: a whole line, several, a line's rest, a block's rest, an expression, any span.

    Whole lines go with their newline, as HumanEval-Infilling cuts them, or without, as an editor's cursor does.
    """
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    kind, line = rng.random(), written_line(text, starts, rng)
    if kind < 0.40:
        count = 1 if kind < 0.25 else min(1 + int(rng.expovariate(0.2)), len(starts) - line)
        end = starts[line + count] if line + count < len(starts) else len(text)
        return starts[line], end if rng.random() < 0.5 else max(starts[line], end - 1)
    at = inside(text, starts, line, rng)
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    if kind < 0.65:
        return at, line_end
    if kind < 0.80:
        return at, block_end(text, at, line_end)
    if kind < 0.90:
        return expression(text, at, line_end)
    other = rng.randint(max(0, at - 400), min(len(text), at + 400))
    return min(at, other), max(at, other)


def in_prose(text: str, at: int) -> bool:
    """Whether a place is in a docstring or a comment, as far as counting tells; the text begins outside of strings."""
    line = text[text.rfind("\n", 0, at) + 1 :].lstrip(" \t")
    return any(text.count(quotes, 0, at) % 2 for quotes in ('"""', "'''")) or line.startswith(("#", "//", '"""'))


def definition(lines: list[str], at: int) -> tuple[int, int]:
    """The first function at or below a line: its first line and the one after its last; twice the end for none."""
    for first in range(at, len(lines)):
        if re.match(r"\s*(async def|def|function|export function) ", lines[first]):
            depth = len(lines[first]) - len(lines[first].lstrip())
            end = first + 1
            while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
                end += 1
            return first, end
    return len(lines), len(lines)


def written_line(text: str, starts: list[int], rng: random.Random) -> int:
    """A line that is not blank, where four tries find one."""
    for _ in range(4):
        line = rng.randrange(len(starts))
        end = starts[line + 1] if line + 1 < len(starts) else len(text)
        if text[starts[line] : end].strip():
            break
    return line


def inside(text: str, starts: list[int], line: int, rng: random.Random) -> int:
    """A position in a line, after its indentation: two times in three between words, else anywhere."""
    begin = starts[line]
    end = starts[line + 1] - 1 if line + 1 < len(starts) else len(text)
    code = begin + len(text[begin:end]) - len(text[begin:end].lstrip())
    if rng.random() < 0.66:
        edges = [m.start() + begin for m in re.finditer(r"(?<=\w)(?=\W)|(?<=\W)(?=\w)", text[begin:end])]
        edges = [e for e in edges if e >= code]
        if edges:
            return rng.choice(edges)
    return rng.randint(min(code, end), end)


def block_end(text: str, at: int, line_end: int) -> int:
    """End of the last line, from the one at ``at``, that is indented deeper than it; its own end if none is."""
    begin = text.rfind("\n", 0, at) + 1
    indent = len(text[begin:line_end]) - len(text[begin:line_end].lstrip())
    end = line_end
    for match in re.finditer(r"\n([ \t]*)([^\n]*)", text[line_end:]):
        if match.group(2) and len(match.group(1)) <= indent:
            break
        if match.group(2):
            end = line_end + match.end()
    return end


def expression(text: str, at: int, line_end: int) -> tuple[int, int]:
    """What stands between the first bracket after ``at`` and its partner on the line; the line's rest if none."""
    for begin in range(at, line_end):
        if closer := OPENERS.get(text[begin]):
            depth = 0
            for end in range(begin, line_end):
                depth += (text[end] == text[begin]) - (text[end] == closer)
                if depth == 0:
                    return begin + 1, end
    return at, line_end
