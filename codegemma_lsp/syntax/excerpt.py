"""The part of a long file that is parsed for one keystroke.

A half-typed line makes the parser read everything after it again, which in a long file takes longer than a keystroke
may. A long file is therefore parsed as an excerpt: the lines around the cursor, from the start of a definition, below
the headers of the enclosing blocks (as editors pin them to the top of a window), and with those blocks closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codegemma_lsp.syntax.brackets import scan
from codegemma_lsp.syntax.languages import BRACKETS, Blocks, Language
from codegemma_lsp.text import line_end, line_start

WHOLE_FILE_LINES = 300
ABOVE, BELOW = 120, 40
"""The number of lines above and below the cursor. The window moves in steps, so that a new line does not move it."""
_STEP = 20
_MOST_HEADERS = 8
_LONGEST_HEADER = 10
_SEARCH_BACK = 262_144

_DEFINITION = re.compile(
    r"[ \t]*(?:@\w|(?:export|default|async|def|class|function|public|private|protected|internal|static|abstract|final"
    r"|override|fn|pub|impl|mod|trait|func|type|struct|enum|interface|namespace|template|fun|object|module|local"
    r"|void|unsafe|extern|record|sealed|data|open|suspend|virtual)\b)"
)
_FILLED = re.compile(r"([ \t]*)([^\s])")
_NOT_A_HEADER = frozenset(")]}#*/<>'\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A part of a file around the cursor.

    ``text`` consists of header lines, then ``source[start:end]``, then closing brackets. ``offset`` is the cursor in
    it. ``lead`` is the length of the header lines, and ``origins`` has the offset of each of them in ``source``.
    ``top`` is the number of the first line of the window.
    """

    source: str
    text: str
    offset: int
    start: int
    top: int = 0
    lead: int = 0
    origins: tuple[int, ...] = ()

    def original(self, offset: int) -> int:
        """Returns the offset in ``source`` of an offset in ``text``."""
        if offset >= self.lead:
            return self.start + offset - self.lead
        line = self.text.count("\n", 0, offset)
        return self.origins[line] + offset - (line_start(self.text, offset))


def excerpt(
    source: str,
    offset: int,
    language: Language | None,
    previous: Excerpt | None = None,
    counted: tuple[int, int] | None = None,
) -> Excerpt:
    """Returns the excerpt around a cursor. A short file is its own excerpt. ``previous`` is one of an earlier state of
    the file. ``counted`` are the cursor's line and the number of lines, if they are known."""
    line, lines = counted or (source.count("\n", 0, offset), source.count("\n") + 1)
    if language is None or lines <= WHOLE_FILE_LINES:
        return Excerpt(source=source, text=source, offset=offset, start=0)
    top, bottom = max(0, line // _STEP * _STEP - ABOVE), (line // _STEP + 1) * _STEP + BELOW
    if previous is not None and previous.top == top and _still_starts(previous, source, offset):
        start, origins = previous.start, previous.origins
        indent = _indent(source, start) or 0
    else:
        start = _first_line(source, _starts_above(source, offset, line - top))
        indent = _indent(source, start) or 0
        origins = (*_php_opener(source, start, language), *_headers(source, 0, start, indent, language))
    end = _end(source, _starts_below(source, offset, bottom - line), indent)
    lead = "".join(f"{_line(source, origin)}\n" for origin in origins)
    text = f"{lead}{source[start:end]}"
    if language.blocks is Blocks.BRACE:
        inner = _headers(source, start, end, _indent(source, end) or 0, language)
        headers = lead + "".join(f"{_line(source, origin)}\n" for origin in inner)
        text += "".join(BRACKETS[opener] for opener in reversed(scan(headers, "", '"').unclosed))
    return Excerpt(
        source=source,
        text=text,
        offset=len(lead) + offset - start,
        start=start,
        top=top,
        lead=len(lead),
        origins=origins,
    )


def _still_starts(previous: Excerpt, source: str, offset: int) -> bool:
    """Returns whether an excerpt of this text may start where the previous one did. That is so if nothing has changed
    above, and no block around that start has ended before the cursor."""
    start = previous.start
    if not 0 < start <= offset or not source.startswith(previous.source[:start]):
        return False
    indent = _indent(source, start) or 0
    return not indent or re.compile(rf"^[ \t]{{0,{indent - 1}}}\S", re.MULTILINE).search(source, start, offset) is None


def _php_opener(source: str, start: int, language: Language) -> tuple[int, ...]:
    """Returns the line with the opening tag of PHP, without which the lines after it are not parsed as PHP."""
    tag = source.rfind(language.code_begins, 0, start) if language.code_begins else -1
    return (line_start(source, tag),) if tag > source.rfind("?>", 0, start) else ()


def _starts_above(source: str, offset: int, count: int) -> list[int]:
    """Returns the starts of the cursor's line and of ``count`` lines before it, ascending."""
    starts = [line_start(source, offset)]
    for _ in range(count):
        if starts[-1] == 0:
            break
        starts.append(line_start(source, starts[-1] - 1))
    starts.reverse()
    return starts


def _starts_below(source: str, offset: int, count: int) -> list[int]:
    """Returns the starts of ``count`` lines after the cursor's line, ascending, or fewer at the text's end."""
    starts = []
    end = source.find("\n", offset)
    for _ in range(count):
        if end < 0:
            break
        starts.append(end + 1)
        end = source.find("\n", end + 1)
    return starts


def _first_line(source: str, starts: list[int]) -> int:
    """Returns the start of the excerpt's first line: the topmost of the least indented lines that look like a
    definition.

    The excerpt then begins neither within a statement nor within a string. Blocks that have ended before the cursor,
    which are the lines indented deeper than one below them, are skipped.
    """
    best: tuple[int, int, int] | None = None
    least: int | None = None
    for start in reversed(starts):
        indent = _indent(source, start)
        if indent is None or (least is not None and indent > least):
            continue
        least = indent
        rank = (_kind(source, start, indent), indent, start)
        best = rank if best is None or rank < best else best
    return best[2] if best is not None else starts[0]


def _kind(source: str, start: int, indent: int) -> int:
    """Returns how suitable a line is as a border: 0 if a definition seems to start, 2 if something seems to end."""
    if _DEFINITION.match(source, start):
        return 0
    return 2 if source[start + indent] in _NOT_A_HEADER or source[start + indent] == "{" else 1


def _end(source: str, starts: list[int], indent: int) -> int:
    """Returns the end of the excerpt: before the line that ends its block, or else before the last of the least
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


def _headers(source: str, first: int, at: int, indent: int, language: Language) -> tuple[int, ...]:
    """Returns the offsets, from ``first`` on, of the header lines above ``at``, outermost first.

    The headers are the nearest line indented less than ``indent``, the nearest above it that is indented less still,
    and so on, each with the lines after it up to the one that opens its block.
    """
    found: list[list[int]] = []
    while indent > 0 and len(found) < _MOST_HEADERS:
        match, size = None, 4096
        while match is None:
            begin = line_start(source, max(first, at - size))
            for match in _less_indented(indent - 1).finditer(source, max(first, begin), at):  # noqa: B007
                pass
            if begin <= first or size > _SEARCH_BACK:
                break
            size *= 4
        if match is None:
            break
        start = _declaration(source, match.start(), first)
        found.append(_header_lines(source, start, at, language))
        at, indent = start, _indent(source, start) or 0
    return tuple(line for lines in reversed(found) for line in lines)


def _declaration(source: str, start: int, first: int) -> int:
    """Returns the start of the declaration above, if an opening bracket stands alone on the line at ``start``."""
    if _line(source, start).strip() != "{":
        return start
    indent, above = _indent(source, start) or 0, start
    for _ in range(_LONGEST_HEADER):
        if above <= first:
            break
        above = line_start(source, above - 1)
        here = _indent(source, above)
        if here is not None and here <= indent:
            return above
    return start


def _header_lines(source: str, start: int, end: int, language: Language) -> list[int]:
    """Returns the starts of a header's lines, up to the one after which its block is open."""
    lines = [start]
    if language.blocks not in (Blocks.BRACE, Blocks.INDENT):
        return lines
    while len(lines) < _LONGEST_HEADER:
        header_end = line_end(source, lines[-1])
        header = source[start:header_end]
        unclosed = scan(header, "", '"').unclosed
        opened = unclosed.endswith("{") if language.blocks is Blocks.BRACE else header.rstrip().endswith(":")
        if opened and (language.blocks is Blocks.BRACE or not unclosed):
            return lines
        if header_end + 1 >= end or header.rstrip().endswith(";"):
            break
        lines.append(header_end + 1)
    return [start]


def _less_indented(most: int) -> re.Pattern[str]:
    """Returns the indentation, of at most ``most``, of a line that may start a block."""
    return re.compile(rf"^[ \t]{{0,{most}}}(?=[^\s{re.escape(''.join(sorted(_NOT_A_HEADER)))}])", re.MULTILINE)


def _indent(source: str, start: int) -> int | None:
    """Returns the length of a line's indentation, or None for an empty line."""
    match = _FILLED.match(source, start)
    if match is None or source.find("\n", start, match.end()) >= 0:
        return None
    return len(match.group(1))


def _line(source: str, start: int) -> str:
    return source[start : line_end(source, start)]
