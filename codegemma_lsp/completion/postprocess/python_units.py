"""The smallest parts of a Python file that can be judged alone: the method around the cursor, the statement at the top
level, and the file.

They are found by indentation, because a half-typed line hides the statements around it from a parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint
from codegemma_lsp.completion.postprocess.python_parser import may_go_on
from codegemma_lsp.text import indentation, line_end, line_start

_LONGEST = 60_000
"""Code points that are compiled. The compiler holds the interpreter for about a millisecond in 3,000."""
_LONGEST_RARE = 200_000
"""Code points of a file that is compiled because a suggestion may change the meaning of text far away."""
_LONGEST_TABLE = 6_000
"""Code points on each side of the cursor that are compiled of a statement that is too long."""
_STARTS = re.compile(r"^(?!(?:else|elif|except|finally)\b)[^\s#)\]}]", re.MULTILINE)
"""The first character of a line that begins a statement at the top level."""
_NOT_A_STATEMENT = tuple(")]}#")
_TRIPLE = re.compile(r"""\"{3}|'{3}""")
_FUTURE = re.compile(r"^from __future__\b", re.MULTILINE)
_TEXTS = re.compile(
    r"#[^\n]*|(\"{3}|'{3})(?:\\.|(?!\1|\\).)*(\1)?|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)
"""Comments and strings. A string over several lines has its quotes as the first group, and as the second if it ends."""
_LAST_WORD = re.compile(r"\w*\Z")


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a file that is compiled alone, with the header that its indentation needs. ``offset`` is the cursor in
    ``text``."""

    text: str
    offset: int

    def with_suggestion(self, text: str, overwrites: int) -> str:
        return self.text[: self.offset] + text + self.text[self.offset + overwrites :]

    @property
    def is_half_typed(self) -> bool:
        """Whether nothing is wrong before the word at the cursor. A part that begins within a string, whose end then
        looks like the beginning of another, is not taken for half-typed."""
        return not in_triple_quotes(self.text, self.offset) and may_go_on(_LAST_WORD.sub("", self.text[: self.offset]))


def units(text: str, point: InsertionPoint) -> Iterator[Unit]:
    """Yields the parts of a file by which a suggestion may be judged, the smallest first."""
    source, at, line = point.text, point.text_offset, point.before + text
    reaches_far = bool(_TRIPLE.search(text) or "__future__" in text or _FUTURE.search(source, at))
    if not reaches_far and not in_triple_quotes(source, at):
        method = _method_around(source, at, line)
        if method is not None and not in_triple_quotes(source, method[0]):
            yield Unit(f"if 1:\n{source[method[0] : method[1]]}", at - method[0] + len("if 1:\n"))
        start, end = _statement_around(source, at, line)
        if end - start > _LONGEST:
            yield from _entries_around(source, at, line)
        else:
            yield Unit(source[start:end], at - start)
    if len(source) <= (_LONGEST_RARE if reaches_far else _LONGEST):
        yield Unit(source, at)


def in_triple_quotes(source: str, offset: int) -> bool:
    """Returns whether an offset is in a string over several lines."""
    if not any(source.count(quotes, 0, offset) % 2 for quotes in ('"""', "'''")):
        return False
    return any(found.group(1) and not found.group(2) for found in _TEXTS.finditer(source, 0, offset))


def _method_around(source: str, offset: int, lines: str) -> tuple[int, int] | None:
    """Returns the range of the function around the cursor that has only classes around it, or None if there is none
    that contains all of the cursor's ``lines`` as they would be."""
    enclosing = _enclosing(source, offset)
    outermost = next(((start, line) for start, line in reversed(enclosing) if not line.startswith("class ")), None)
    if outermost is None or not outermost[1].startswith(("def ", "async def ")):
        return None
    start, _ = outermost
    level = len(indentation(source[start:offset]))
    on_header = line_start(source, offset) == start
    inner = [line for line in lines.split("\n")[on_header:] if line.strip()]
    if not level or offset - start <= level or any(len(indentation(line)) <= level for line in inner):
        return None
    below = re.compile(rf"^[ \t]{{0,{level}}}(?=[^\s#)\]}}])", re.MULTILINE)
    end = below.search(source, line_end(source, offset) + 1, start + _LONGEST)
    if end is None and start + _LONGEST < len(source):
        return None
    return start, end.start() if end is not None else len(source)


def _enclosing(source: str, offset: int) -> list[tuple[int, str]]:
    """Returns the starts of the lines that open the blocks around the cursor, judged by their indentation, and their
    text without it. The innermost is first."""
    found: list[tuple[int, str]] = []
    start, least = line_start(source, offset), None
    least_possible = max(0, offset - _LONGEST)
    while least != 0 and start >= least_possible:
        line = source[start : line_end(source, start)]
        stripped, indent = line.strip(), len(indentation(line))
        if stripped and not stripped.startswith(_NOT_A_STATEMENT) and (least is None or indent < least):
            found.append((start, stripped))
            least = indent
        if start == 0:
            break
        start = line_start(source, start - 1)
    return found


def _entries_around(source: str, offset: int, line: str) -> Iterator[Unit]:
    """Yields the lines around the cursor, as the content of a list, a dict, a call or a class. They stand for a
    statement that is too long. They are not indented less than the cursor's ``line`` would be, or the line above."""
    above = source[:offset].rstrip().rpartition("\n")[2]
    own = line.lstrip("\n").split("\n", 1)[0]
    for level in dict.fromkeys(len(indentation(one)) for one in (own, above)):
        start, end = _lines_around(source, offset, level)
        for opener, closer in (("[", "]"), ("{", "}"), ("f(", ")"), ("class A:", "")):
            yield Unit(f"{opener}\n{source[start:end]}\n{closer}", len(opener) + 1 + offset - start)


def _lines_around(source: str, offset: int, level: int) -> tuple[int, int]:
    """Returns the range of the lines around an offset that are indented by ``level`` at least. It begins with one that
    is indented by exactly as much, and is not long."""
    first, last = max(0, offset - _LONGEST_TABLE), offset + _LONGEST_TABLE
    outside = re.compile(rf"^[ \t]{{0,{level - 1}}}(?=\S)" if level else r"^(?!)", re.MULTILINE)
    beside = re.compile(rf"^[ \t]{{{level}}}(?=[^\s)\]}}])", re.MULTILINE)
    begin, below = line_start(source, offset), line_end(source, offset) + 1
    start = max((found.end() for found in outside.finditer(source, first, begin)), default=first)
    start = next((found.start() for found in beside.finditer(source, start, begin)), begin)
    end = next((found.start() for found in outside.finditer(source, below, last)), len(source))
    if end > last:
        end = max((found.start() for found in beside.finditer(source, below, last)), default=below)
    return start, end


def _statement_around(source: str, offset: int, line: str) -> tuple[int, int]:
    """Returns the range from the line at column 0 at or above an offset to the next one below its line, or a longer
    one than is compiled. ``line`` is the cursor's as it would be."""
    end = source.find("\n", offset)
    last = min(len(source), offset + _LONGEST)
    starts = _STARTS.finditer(source, end + 1, last) if 0 <= end < last else iter(())
    below = next((found for found in starts if not in_triple_quotes(source, found.start())), None)
    start = line_start(source, offset)
    if not (_STARTS.match(line) and _begins_statement(source, start)) and start > 0:
        start = line_start(source, start - 1)
        while start > 0 and offset - start <= _LONGEST and not _begins_statement(source, start):
            start = line_start(source, start - 1)
    return start, below.start() if below is not None else len(source)


def _begins_statement(source: str, start: int) -> bool:
    above = source[line_start(source, start - 1) : start]
    return bool(_STARTS.match(source, start)) and not above.startswith("@") and not in_triple_quotes(source, start)
