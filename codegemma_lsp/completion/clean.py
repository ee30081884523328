"""Clean-up: what the model wrote becomes something safe to accept, or nothing.

Each filter takes the text and the place it is for, and gives a text that is no longer; an empty one ends the line.
The order matters and is the order of ``FILTERS``. Rules after Tabby, llama.vim and Continue, with the syntax tree
where they guess by indentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import TypeAlias

from codegemma_lsp.completion.stop import loops, repeats
from codegemma_lsp.syntax import Extent, Scope, Syntax, is_complete, reparse

_CLOSERS_ONLY = re.compile(r"[\s)\]}>\"'`;:,]*$")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_SIMILAR = 0.95


@dataclass(frozen=True)
class Place:
    """Where a suggestion goes. ``syntax`` is of the whole document as it stands, LF-only; ``offset`` the cursor."""

    syntax: Syntax
    offset: int
    scope: Scope
    extent: Extent

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.syntax.text[self.syntax.text.rfind("\n", 0, self.offset) + 1 : self.offset]

    @cached_property
    def rest(self) -> str:
        """The cursor's line from the cursor on."""
        end = self.syntax.text.find("\n", self.offset)
        return self.syntax.text[self.offset : len(self.syntax.text) if end < 0 else end]

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The next lines with something on them, at most 12."""
        start = self.offset + len(self.rest) + 1
        lines = self.syntax.text[start : start + 4000].split("\n")
        return tuple(line for line in lines if line.strip())[:12]

    @cached_property
    def uses_tabs(self) -> bool:
        """Whether the file indents with tabs: by the indented lines around the cursor."""
        around = self.syntax.text[max(0, self.offset - 8000) : self.offset + 4000]
        return len(re.findall(r"^\t", around, re.MULTILINE)) > len(re.findall(r"^ {2}", around, re.MULTILINE))

    @cached_property
    def indent_width(self) -> int:
        """Spaces of one level: the smallest indentation in use around the cursor, 4 where there is none."""
        around = self.syntax.text[max(0, self.offset - 8000) : self.offset + 4000]
        widths = [len(m) for m in re.findall(r"^( +)\S", around, re.MULTILINE)]
        return min((w for w in widths if w >= 2), default=4)


Filter: TypeAlias = Callable[[str, Place], str]


def clean(text: str, place: Place) -> str:
    """The text that may be shown at ``place``; "" where nothing may."""
    for keep in FILTERS:
        text = keep(text, place)
        if not text.strip():
            return ""
    return text


def printable(text: str, place: Place) -> str:
    """Up to the first character that no source has: a control character, or half of a code point."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _UNPRINTABLE.search(text)
    return text[: found.start()] if found else text


def within_extent(text: str, place: Place) -> str:
    """The line, the statement or the block that the cursor's position asks for, and nothing of what comes after."""
    if place.extent is Extent.LINE:
        return text.split("\n", 1)[0]
    grown = reparse(place.syntax, place.syntax.text[: place.offset] + text + "\n")
    end = is_complete(grown, place.offset, place.extent, place.scope.opener_indent)
    return text if end is None else text[: end - place.offset]


def without_loops(text: str, place: Place) -> str:
    """Up to the first of several equal lines, and without a last line that is one unit over and over."""
    lines = text.split("\n")
    for end in range(3, len(lines) + 1):
        if repeats("\n".join(lines[:end]) + "\n"):
            lines = lines[: end - 2]
            break
    if loops(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def not_already_below(text: str, place: Place) -> str:
    """Nothing, where the suggestion says again what the next lines say."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    first = (place.before.strip() + lines[0]).strip() if lines else ""
    if not place.below or len(first) < 4:
        return text
    said = "\n".join([first, *lines[1:]])
    stands = "\n".join(line.strip() for line in place.below[: len(lines)])
    return "" if SequenceMatcher(None, said, stands, autojunk=False).ratio() >= _SIMILAR else text


def without_lines_below(text: str, place: Place) -> str:
    """Without last lines that are the very lines that follow, as a closing bracket that is already there."""
    lines = text.split("\n")
    for count in range(min(len(lines) - 1, len(place.below)), 0, -1):
        if [line.rstrip() for line in lines[-count:]] == [line.rstrip() for line in place.below[:count]]:
            return "\n".join(lines[:-count])
    return text


def without_rest_of_line(text: str, place: Place) -> str:
    """Without an end that repeats what stands between the cursor and the end of the line.

    A rest of closing brackets alone is left to ``overwritten``. Where other text follows, a suggestion of several
    lines is cut to one.
    """
    rest = place.rest.strip()
    if not rest or _CLOSERS_ONLY.match(rest):
        return text
    line = text.split("\n", 1)[0].rstrip()
    for size in range(len(rest), 0, -1):
        if line.endswith(rest[:size]) and (size == len(rest) or size >= 3):
            return line[:-size]
    return line


def edges(text: str, place: Place) -> str:
    """Without blanks at the end, and without a first blank where the line already ends in one."""
    text = text.rstrip()
    if place.before.strip() and place.before[-1:].isspace():
        return text.lstrip(" \t")
    return text


def indented_as_the_file(text: str, place: Place) -> str:
    """Indentation in the file's own unit: tabs where it uses tabs, spaces where it does not."""
    lines = text.split("\n")
    start = 0 if not place.before.strip() else 1
    spaces = [len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" ")) for line in lines[start:]]
    width = 4 if all(n % 4 == 0 for n in spaces) else 2
    for i in range(start, len(lines)):
        body = lines[i].lstrip(" \t")
        indent = lines[i][: len(lines[i]) - len(body)]
        if place.uses_tabs and " " in indent:
            indent = "\t" * (len(indent.expandtabs(4)) // width)
        elif not place.uses_tabs and "\t" in indent:
            indent = indent.replace("\t", " " * place.indent_width)
        lines[i] = indent + body if body else ""
    return "\n".join(lines)


def without_new_errors(text: str, place: Place) -> str:
    """The most lines of the suggestion that add nothing the parser cannot make sense of; none where all do."""
    if place.syntax.tree is None:
        return text
    allowed = place.syntax.error_count
    lines = text.split("\n")
    while lines:
        kept = "\n".join(lines).rstrip()
        if not kept.strip() or reparse(place.syntax, accepted(kept, place)).error_count <= allowed:
            return kept
        lines.pop()
    return ""


FILTERS: tuple[Filter, ...] = (
    printable,
    within_extent,
    without_loops,
    not_already_below,
    without_lines_below,
    without_rest_of_line,
    edges,
    indented_as_the_file,
    without_new_errors,
)


def overwritten(text: str, before: str, rest: str) -> int:
    """How many characters after the cursor the suggestion brings itself: closing brackets and quotes that the editor
    put there while the user typed. ``before`` and ``rest`` are the line up to and from the cursor."""
    closers = rest.rstrip()
    if not closers or not _CLOSERS_ONLY.match(rest):
        return 0
    count = 0
    for closer in _unmatched_closers(before, text):
        if count < len(closers) and closers[count] == closer:
            count += 1
    if count == len(closers) - 1 and closers[-1] in ";:," and text.endswith(closers[-1]):
        count += 1
    return count


def _unmatched_closers(before: str, text: str) -> list[str]:
    """Closing brackets and quotes in the text whose opening partner is not in it, in order."""
    _, _, quote = _scan(before, "")
    found, _, _ = _scan(text, quote)
    return found


def _scan(text: str, quote: str) -> tuple[list[str], list[str], str]:
    """Unmatched closers, unmatched openers and the open quote after a text that begins inside ``quote``."""
    found, stack, escaped, outer = list[str](), list[str](), False, bool(quote)
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            if char == quote:
                found += [char] if outer else []
                quote, outer = "", False
        elif char in "\"'`":
            quote = char
        elif char in "([{":
            stack.append(char)
        elif char in _PAIRS and stack and stack[-1] == _PAIRS[char]:
            stack.pop()
        elif char in _PAIRS:
            found.append(char)
    return found, stack, quote


def accepted(text: str, place: Place) -> str:
    """The document after accepting."""
    end = place.offset + overwritten(text, place.before, place.rest)
    return place.syntax.text[: place.offset] + text + place.syntax.text[end:]


def only_closers(rest: str) -> bool:
    """Whether what stands after the cursor on its line is nothing that a suggestion has to fit around."""
    return bool(_CLOSERS_ONLY.match(rest))
