"""Decides whether generated text has finished what the cursor's position began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from codegemma_lsp.syntax.brackets import depth_change, scan
from codegemma_lsp.syntax.languages import Blocks, Language
from codegemma_lsp.syntax.scope import CursorKind, CursorScope
from codegemma_lsp.syntax.tree import Leaf, Syntax, reparse
from codegemma_lsp.text import indentation, line_end, line_start

_CONTINUES = frozenset(
    "= += -= *= /= + - * / % , . -> => :: ? : && || & | ^ < ( [ and or not in is if else :=".split()  # noqa: SIM905
)
_CONTINUED_BY = re.compile(r"\s*(\.\w|\?\.|\?:|&&|\|\||[-+*/%](?![-+/*])|[:?]\s)")
"""Matches the beginning of a line that continues the statement above, in languages whose statements need no
semicolon."""
_BRANCH = re.compile(r"\s*\}?\s*(else|elif|elsif|except|finally|catch|while|rescue|ensure)\b")
_STARTS_BRANCHES = re.compile(r"\s*(if|for|while|try|do|switch|when|match|unless|begin)\b")
_PREFIX_LINE = re.compile(r"\s*(@[\w.:]+(\(.*\))?|#!?\[.*\]|\[[\w.]+(\(.*\))?\]|template\s*<.*>)\s*$")
"""Matches a decorator, attribute, annotation or template head, which is the first part of what follows it."""
_UNDECIDED = re.compile(r"\s*(\w*|[.?&|:+*/%-])")
"""Matches a line that is too short to tell whether it continues the statement above."""


class Extent(Enum):
    """How much a suggestion may contain."""

    LINE = auto()
    """The rest of the line and nothing else."""
    REST = auto()
    """The rest of the line, and more only while something that it opened is open."""
    STATEMENT = auto()
    """One statement with its block."""
    BLOCK = auto()
    """The statements of the block that has just been opened."""


def extent_at(scope: CursorScope, text_follows: bool) -> Extent:
    """Returns several lines if a block has just been opened, one statement on an empty line, or else the statement's
    rest.

    ``text_follows`` means that something other than closing brackets stands between the cursor and the end of its line.
    """
    if text_follows or scope.kind in (CursorKind.COMMENT, CursorKind.STRING):
        return Extent.LINE
    if scope.opened:
        return Extent.BLOCK
    return Extent.STATEMENT if scope.kind is CursorKind.STATEMENT else Extent.REST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """The generated text at its cursor.

    ``syntax`` contains the prefix and the text that has been generated. ``offset`` is the cursor in code points, and
    ``scope`` is its scope. ``closers`` means that closing brackets follow the cursor on its line, so that nothing below
    can belong to the statement.
    """

    syntax: Syntax
    language: Language
    offset: int
    scope: CursorScope
    extent: Extent
    closers: bool

    @property
    def text(self) -> str:
        return self.syntax.text

    def state(self, at: int) -> _State:
        return _scan(self.syntax, self.syntax.byte(self.offset), self.syntax.byte(at))


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    depth: int
    last: Leaf | None
    closed_at: int | None
    """The start of the first token that closed something opened before the cursor, in bytes."""


def completion_end(
    grown: Syntax, offset: int, scope: CursorScope, extent: Extent, whole: Syntax | None = None, since: int = 0
) -> int | None:
    """Returns the offset in ``grown.text`` (code points) at which the generated text is complete, or None if it is not
    complete yet.

    ``grown`` contains the prefix and the generated text, and nothing after it. ``offset`` is the cursor, and ``scope``
    its scope. ``whole``, if given, is the document without the generated text: a text that would add an error to it is
    not complete. The text after the returned offset belongs to the next statement or to an outer block and must be cut.
    Line ends before ``since`` are known not to be the end. The result may depend on the first word of the next line.
    """
    if extent is Extent.LINE:
        end = grown.text.find("\n", offset)
        return None if end < 0 else end
    if grown.tree is None or grown.language is None:
        return _plain_complete(grown.text, offset, extent)
    closers = whole is not None and bool(whole.text[offset : line_end(whole.text, offset)].strip())
    growth = _Growth(syntax=grown, language=grown.language, offset=offset, scope=scope, extent=extent, closers=closers)
    for at in _line_ends(grown.text, offset):
        if at < since:
            continue
        state = growth.state(at)
        if state.closed_at is not None and extent is not Extent.REST:
            return _closed(growth, grown.char(state.closed_at))
        if state.depth > 0 or _in_string(grown, at) or grown.text.endswith("\\", offset, at):
            continue
        # If the text closes what was opened before the cursor, the brackets that follow are overwritten.
        if _ends_here(growth, at, state) and (state.closed_at is not None or not _adds_error(grown, offset, at, whole)):
            return at
    return _closed_in_last_line(growth)


def _plain_complete(text: str, offset: int, extent: Extent) -> int | None:
    """Decides without a grammar: a statement is a line, and a block ends at an empty line."""
    for at in _line_ends(text, offset):
        if extent is not Extent.BLOCK or text[at + 1 :].startswith("\n"):
            return at
    return None


def _line_ends(text: str, offset: int) -> list[int]:
    """Returns the offsets of the line ends in the generated text that have something other than blanks before them."""
    found = []
    at = text.find("\n", offset)
    while at >= 0:
        if text[offset:at].strip():
            found.append(at)
        at = text.find("\n", at + 1)
    return found


def _closed_in_last_line(growth: _Growth) -> int | None:
    if growth.language.blocks is Blocks.INDENT or growth.extent is Extent.REST:
        return None
    state = _scan(growth.syntax, growth.syntax.byte(growth.offset), len(growth.syntax.source))
    if state.closed_at is None:
        return None
    at = growth.syntax.char(state.closed_at)
    if growth.extent is Extent.BLOCK and "\n" not in growth.text[at:]:
        return None  # text that belongs to the closing token may still follow
    return _closed(growth, at)


def _closed(growth: _Growth, at: int) -> int:
    """Returns the end after something opened before the cursor was closed at ``at``. A block ends after the closing
    token and what belongs to it, as in ``});``. A statement ends before the token."""
    if growth.extent is not Extent.BLOCK or growth.language.blocks is Blocks.INDENT:
        return at
    end, text = at, growth.text
    rest_end = line_end(text, at)
    if "\n" not in text[growth.offset : at] or not scan(text[at:rest_end], "", "\"'`").unclosed:
        return rest_end
    while end < len(text) and (text[end].isalpha() or text[end] in ")]};,</>"):
        end += 1
    return end


def _ends_here(growth: _Growth, at: int, state: _State) -> bool:
    """Returns whether a line's end, with every bracket closed, completes the extent."""
    generated = growth.text[growth.offset : at]
    if growth.closers and state.closed_at is None and generated.lstrip(" \t").startswith("\n"):
        return False  # text that begins on a line of its own within the brackets ends where they do
    following = _next_filled(growth.text, at + 1)
    if growth.language.blocks is Blocks.INDENT:
        return not _awaits_block(growth, state) and _ends_by_indent(growth, at, following)
    if state.last is None or not _may_end(growth, at, state.last):
        return False
    if growth.closers or growth.language.line_ends_statement:
        return True
    return not _goes_on(growth, at, state.last, following)


def _awaits_block(growth: _Growth, state: _State) -> bool:
    """Returns whether a block, or a further item within brackets, must follow the line."""
    kind = state.last.type if state.last is not None else ""
    return (kind == ":" and growth.language.colon_opens_block) or (kind == "," and growth.closers)


def _may_end(growth: _Growth, at: int, last: Leaf) -> bool:
    """Returns whether a statement can end with this line, in a language with brackets or keywords around its blocks."""
    line = growth.text[max(growth.offset, line_start(growth.text, at)) : at]
    if growth.extent is Extent.BLOCK or last.type in _CONTINUES or _PREFIX_LINE.match(line):
        return False
    if growth.extent is not Extent.STATEMENT or not growth.language.semicolons:
        return True
    return last.type in {";", "}", ":", ">"} or last.type in growth.language.comments


def _goes_on(growth: _Growth, at: int, last: Leaf, following: str | None) -> bool:
    """Returns whether the next line belongs to a statement that could end here, or is too short to tell."""
    first = growth.text[line_start(growth.text, growth.offset) : at]
    branches = last.type == "}" or bool(_STARTS_BRANCHES.match(first))
    sure = last.type in {";", ","} or (growth.language.semicolons and growth.extent is Extent.REST)
    if sure and not branches:
        return False
    if following is None or _UNDECIDED.fullmatch(following):
        return True
    return bool(_BRANCH.match(following)) or (not sure and bool(_CONTINUED_BY.match(following)))


def _ends_by_indent(growth: _Growth, at: int, following: str | None) -> bool:
    """Returns whether the next line is indented too little to belong to the statement or the block."""
    start, is_block = line_start(growth.text, growth.offset), growth.extent is Extent.BLOCK
    begun = [line for line in growth.text[start:at].split("\n") if line.strip()]
    indent = growth.scope.opener_indent if is_block else _width(begun[0])
    simple = not is_block and len(begun) == 1 and not _PREFIX_LINE.match(begun[0])
    if simple and not begun[0].rstrip().endswith(":"):
        return True
    if following is None or _UNDECIDED.fullmatch(following):
        return False
    if is_block:
        opener_here = bool(growth.text[start : growth.offset].strip())
        body = next(iter(begun[1:]), "") if opener_here else begun[0]
        return _width(following) < max(_width(body), indent + 1)
    if _width(following) != indent:
        return _width(following) < indent
    if _PREFIX_LINE.match(begun[-1]) or _BRANCH.match(following):
        return False
    heads = [line.strip() for line in begun if _width(line) == indent]
    return not heads[-1].startswith("try")


def _adds_error(grown: Syntax, offset: int, at: int, whole: Syntax | None) -> bool:
    if whole is None or whole.tree is None:
        return False
    with_it = reparse(whole, grown.text[:at] + whole.text[offset:])
    return with_it.error_count > whole.error_count


def _scan(syntax: Syntax, start: int, end: int) -> _State:
    """Returns the bracket depth at ``end`` relative to ``start`` (bytes), and the last token that is not a comment."""
    assert syntax.language is not None
    depth, last, closed_at = 0, None, None
    for leaf in syntax.leaves(start, end):
        depth += depth_change(leaf, syntax.language, syntax.source)
        if depth < 0:
            depth, closed_at = 0, leaf.start if closed_at is None else closed_at
        if leaf.type not in syntax.language.comments:
            last = leaf
    return _State(depth=depth, last=last, closed_at=closed_at)


def _in_string(syntax: Syntax, offset: int) -> bool:
    """Returns whether a line's end at ``offset`` is inside a string or a comment that spans lines."""
    assert syntax.language is not None
    byte = syntax.byte(offset)
    whole = syntax.language.strings | syntax.language.comments
    return any(n.type in whole and n.start_byte < byte < n.end_byte for n in syntax.ancestors(byte))


def _next_filled(text: str, start: int) -> str | None:
    """Returns the next line that is not empty, as far as it has been generated."""
    while start < len(text):
        end = line_end(text, start)
        if text[start:end].strip():
            return text[start:end] + ("\n" if end < len(text) else "")
        start = end + 1
    return None


def _width(line: str) -> int:
    return len(indentation(line))
