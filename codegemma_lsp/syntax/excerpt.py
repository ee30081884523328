"""The part of a long file that is parsed for one keystroke.

A line half typed makes the parser read all that follows it again, which in a long file takes longer than a keystroke
may. So a long file is parsed as an excerpt: the lines around the cursor, from where a definition starts, below the
header lines of the blocks that hold them (as editors pin them to the top of a window), and with those blocks closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codegemma_lsp.syntax.languages import Blocks, Language

WHOLE_FILE_LINES = 240
ABOVE, BELOW = 120, 40
"""Lines of the file around the cursor; the window moves in steps, so that a new line does not move it."""
_STEP = 20
_MOST_HEADERS = 8
_SEARCH_BACK = 262_144

_DEFINITION = re.compile(
    r"[ \t]*(?:@\w|(?:export|default|async|def|class|function|public|private|protected|internal|static|abstract|final"
    r"|override|fn|pub|impl|mod|trait|func|type|struct|enum|interface|namespace|template|fun|object|module|local"
    r"|void|unsafe|extern|record|sealed|data|open|suspend|virtual)\b)"
)
_FILLED = re.compile(r"([ \t]*)([^\s])")
_NOT_A_HEADER = frozenset(")]}#*/<>'\"")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """``text`` is header lines, then ``source[start:end]``, then closing brackets; ``offset`` is the cursor in it.

    ``lead`` is the length of the header lines; ``origins`` has for each the offset of its line in ``source``.
    """

    source: str
    text: str
    offset: int
    start: int
    lead: int = 0
    origins: tuple[int, ...] = ()

    def original(self, offset: int) -> int:
        """The offset in ``source`` of an offset in ``text``."""
        if offset >= self.lead:
            return self.start + offset - self.lead
        line = self.text.count("\n", 0, offset)
        return self.origins[line] + offset - (self.text.rfind("\n", 0, offset) + 1)


def excerpt(source: str, offset: int, language: Language | None, previous: Excerpt | None = None) -> Excerpt:
    """The excerpt around a cursor; a short file is its own. ``previous`` is one of an earlier state of the file."""
    line = source.count("\n", 0, offset)
    lines = line + source.count("\n", offset) + 1
    if language is None or lines <= WHOLE_FILE_LINES:
        return Excerpt(source, source, offset, 0)
    top, bottom = max(0, line // _STEP * _STEP - ABOVE), (line // _STEP + 1) * _STEP + BELOW
    starts = _starts_around(source, offset, line - top, bottom - line)
    here = line - top if line >= top else 0
    first = _first_line(source, starts[: here + 1])
    start = starts[first]
    indent = _indent(source, start) or 0
    end = _end(source, starts[here + 1 :], indent)
    origins = _headers(source, start, indent, previous)
    lead = "".join(f"{_line(source, origin)}\n" for origin in origins)
    text = f"{lead}{source[start:end]}"
    if language.blocks is Blocks.BRACE:
        open_at_end = _less_indented_lines(source, start, end, _indent(source, end) or 0)
        text += "}" * sum(_line(source, origin).rstrip().endswith("{") for origin in (*origins, *open_at_end))
    return Excerpt(source, text, len(lead) + offset - start, start, len(lead), origins)


def _starts_around(source: str, offset: int, above: int, below: int) -> list[int]:
    """Starts of the cursor's line, of ``above`` lines before it and of ``below`` after it, ascending."""
    starts = [source.rfind("\n", 0, offset) + 1]
    for _ in range(above):
        if starts[-1] == 0:
            break
        starts.append(source.rfind("\n", 0, starts[-1] - 1) + 1)
    starts.reverse()
    end = source.find("\n", offset)
    for _ in range(below):
        if end < 0:
            break
        starts.append(end + 1)
        end = source.find("\n", end + 1)
    return starts


def _first_line(source: str, starts: list[int]) -> int:
    """Index of the line to begin with: the topmost of the least indented ones that look like a definition, so that
    the excerpt begins neither within a statement nor within a string."""
    best: tuple[int, int, int] | None = None
    for i, start in enumerate(starts):
        indent = _indent(source, start)
        if indent is None:
            continue
        rank = (_kind(source, start, indent), indent, i)
        best = rank if best is None or rank < best else best
    return best[2] if best is not None else 0


def _kind(source: str, start: int, indent: int) -> int:
    """How fit a line is for a border: 0 where a definition seems to start, 2 where something seems to end."""
    if _DEFINITION.match(source, start):
        return 0
    return 2 if source[start + indent] in _NOT_A_HEADER else 1


def _end(source: str, starts: list[int], indent: int) -> int:
    """Where the excerpt ends: before the line that ends the block it lies in, else before the last of the least
    indented lines that look like a definition, so that it ends neither within a statement nor within a string."""
    best: tuple[int, int, int] | None = None
    for start in starts:
        here = _indent(source, start)
        if here is None:
            continue
        if here < indent:
            return start
        rank = (_kind(source, start, here), here, -start)
        best = rank if best is None or rank < best else best
    if len(starts) <= BELOW:
        return len(source)
    return -best[2] if best is not None else starts[-1]


def _headers(source: str, start: int, indent: int, previous: Excerpt | None) -> tuple[int, ...]:
    """Offsets of the header lines above ``start``, outermost first: each the nearest line indented less."""
    if previous is not None and previous.start == start and previous.source[:start] == source[:start]:
        return previous.origins
    return _less_indented_lines(source, max(0, start - _SEARCH_BACK), start, indent)


def _less_indented_lines(source: str, first: int, at: int, indent: int) -> tuple[int, ...]:
    """Offsets, from ``first`` on, of the nearest line above ``at`` indented less than ``indent``, of the nearest one
    above that indented less still, and so on; outermost first."""
    found: list[int] = []
    while indent > 0 and len(found) < _MOST_HEADERS:
        match, size = None, 4096
        while match is None:
            begin = source.rfind("\n", 0, max(first, at - size)) + 1
            for match in _less_indented(indent - 1).finditer(source, max(first, begin), at):  # noqa: B007
                pass
            if begin <= first:
                break
            size *= 4
        if match is None:
            break
        at, indent = match.start(), len(match.group())
        found.append(at)
    return tuple(reversed(found))


def _less_indented(most: int) -> re.Pattern[str]:
    """The indentation, of at most ``most``, of a line that may start a block."""
    return re.compile(rf"^[ \t]{{0,{most}}}(?=[^\s{re.escape(''.join(sorted(_NOT_A_HEADER)))}])", re.MULTILINE)


def _indent(source: str, start: int) -> int | None:
    """Length of a line's indentation; None for an empty line."""
    match = _FILLED.match(source, start)
    if match is None or source.find("\n", start, match.end()) >= 0:
        return None
    return len(match.group(1))


def _line(source: str, start: int) -> str:
    end = source.find("\n", start)
    return source[start : len(source) if end < 0 else end]
