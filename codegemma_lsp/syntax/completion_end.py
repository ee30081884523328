"""Whether generated text has finished what the cursor's position began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from codegemma_lsp.syntax.brackets import depth_change, scan
from codegemma_lsp.syntax.languages import Blocks, Language
from codegemma_lsp.syntax.scope import CursorKind, CursorScope
from codegemma_lsp.syntax.tree import Leaf, Syntax, reparse
from codegemma_lsp.text import indentation, line_start

_CONTINUES = frozenset(
    "= += -= *= /= + - * / % , . -> => :: ? : && || & | ^ < ( [ and or not in is if else :=".split()  # noqa: SIM905
)
_CONTINUED_BY = re.compile(r"\s*(\.\w|\?\.|\?:|&&|\|\||[-+*/%](?![-+/*])|[:?]\s)")
"""How a line begins that goes on with the statement above, in languages whose statements need no semicolon."""
_BRANCH = re.compile(r"\s*\}?\s*(else|elif|elsif|except|finally|catch|while|rescue|ensure)\b")
_STARTS_BRANCHES = re.compile(r"\s*(if|for|while|try|do|switch|when|match|unless|begin)\b")
_PREFIX_LINE = re.compile(r"\s*(@[\w.:]+(\(.*\))?|#!?\[.*\]|\[[\w.]+(\(.*\))?\]|template\s*<.*>)\s*$")
"""A decorator, attribute, annotation or template head: the first part of what follows it."""
_UNDECIDED = re.compile(r"\s*(\w*|[.?&|:+*/%-])")
"""A line that has not come far enough to tell whether it goes on with the statement above."""


class Extent(Enum):
    """How much a suggestion may bring."""

    LINE = auto()
    """The rest of the line and nothing else."""
    REST = auto()
    """The rest of the line, and more only while something that it opened is open."""
    STATEMENT = auto()
    """One statement with the block that belongs to it."""
    BLOCK = auto()
    """The statements of the block that has just been opened."""


def extent_at(scope: CursorScope, text_follows: bool) -> Extent:
    """Several lines where a block has just been opened, one statement on an empty line, else the statement's rest.

    ``text_follows``: something other than closing brackets stands between the cursor and the end of its line.
    """
    if text_follows or scope.kind in (CursorKind.COMMENT, CursorKind.STRING):
        return Extent.LINE
    if scope.opened:
        return Extent.BLOCK
    return Extent.STATEMENT if scope.kind is CursorKind.STATEMENT else Extent.REST


@dataclass(frozen=True, slots=True)
class _State:
    depth: int
    last: Leaf | None
    closed_at: int | None
    """Start of the first token that closed something opened before the cursor, in bytes."""


def completion_end(
    grown: Syntax, offset: int, scope: CursorScope, extent: Extent, whole: Syntax | None = None, since: int = 0
) -> int | None:
    """Where in ``grown.text`` (code points) the generated text is complete, or None where it is not yet.

    ``grown`` holds the prefix and what has been generated, nothing after it; ``offset`` is the cursor, ``scope`` its
    scope. ``whole``, where given, is the document without the generated text: a text that would add an error to it
    is not complete. What lies beyond the returned offset belongs to the next statement or to an outer block and is
    to be cut. Line ends before ``since`` are known not to be the place. The answer may wait for the first word of
    the line that comes next.
    """
    if extent is Extent.LINE:
        end = grown.text.find("\n", offset)
        return None if end < 0 else end
    if grown.tree is None or grown.language is None:
        return _plain_complete(grown.text, offset, extent)
    closers = whole is not None and bool(whole.text[offset:].split("\n", 1)[0].strip())
    for at in _line_ends(grown.text, offset):
        if at < since:
            continue
        state = _scan(grown, grown.byte(offset), grown.byte(at))
        if state.closed_at is not None and extent is not Extent.REST:
            return _closed(grown, grown.language, offset, extent, grown.char(state.closed_at))
        if state.depth > 0 or _in_string(grown, at) or grown.text.endswith("\\", offset, at):
            continue
        if not _ends_here(grown, grown.language, offset, scope, extent, at, state, closers):
            continue
        # Where it closes what was opened before the cursor, closing brackets below are overwritten, not added to.
        if state.closed_at is not None or not _adds_error(grown, offset, at, whole):
            return at
    return _closed_in_last_line(grown, grown.language, offset, extent)


def _plain_complete(text: str, offset: int, extent: Extent) -> int | None:
    """Without a grammar: a statement is a line, a block ends at an empty line."""
    for at in _line_ends(text, offset):
        if extent is not Extent.BLOCK or text[at + 1 :].startswith("\n"):
            return at
    return None


def _line_ends(text: str, offset: int) -> list[int]:
    """Offsets of the line ends in the generated text that have something other than blanks before them."""
    found = []
    at = text.find("\n", offset)
    while at >= 0:
        if text[offset:at].strip():
            found.append(at)
        at = text.find("\n", at + 1)
    return found


def _closed_in_last_line(grown: Syntax, language: Language, offset: int, extent: Extent) -> int | None:
    if language.blocks is Blocks.INDENT or extent is Extent.REST:
        return None
    state = _scan(grown, grown.byte(offset), len(grown.source))
    if state.closed_at is None:
        return None
    if extent is Extent.BLOCK and "\n" not in grown.text[grown.char(state.closed_at) :]:
        return None  # what belongs to the closing token may still come
    return _closed(grown, language, offset, extent, grown.char(state.closed_at))


def _closed(grown: Syntax, language: Language, offset: int, extent: Extent, at: int) -> int:
    """Something opened before the cursor was closed at ``at``. A block ends with the closing token and what belongs
    to it, as in ``});``; a statement before it."""
    if extent is not Extent.BLOCK or language.blocks is Blocks.INDENT:
        return at
    end, text = at, grown.text
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    if "\n" not in text[offset:at] or not scan(text[at:line_end], "", "\"'`").unclosed:
        return line_end
    while end < len(text) and (text[end].isalpha() or text[end] in ")]};,</>"):
        end += 1
    return end


def _ends_here(
    grown: Syntax,
    language: Language,
    offset: int,
    scope: CursorScope,
    extent: Extent,
    at: int,
    state: _State,
    closers: bool,
) -> bool:
    """Whether a line's end, with every bracket closed, is the end of what was asked for. ``closers``: closing
    brackets follow the cursor on its line, so that nothing below can belong to the statement."""
    first = grown.text[line_start(grown.text, offset) : at]
    if closers and state.closed_at is None and grown.text[offset:at].lstrip(" \t").startswith("\n"):
        return False  # begun on a line of its own within the brackets, it ends where they do
    following, last = _next_filled(grown.text, at + 1), state.last
    if language.blocks is Blocks.INDENT:
        kind = last.type if last is not None else ""
        opener_here = bool(grown.text[line_start(grown.text, offset) : offset].strip())
        opens = (kind == ":" and language.colon_opens_block) or (kind == "," and closers)
        return not opens and _ends_by_indent(first, scope, extent, following, opener_here)
    line = grown.text[max(offset, line_start(grown.text, at)) : at]
    if extent is Extent.BLOCK or last is None or last.type in _CONTINUES or _PREFIX_LINE.match(line):
        return False
    if extent is Extent.STATEMENT and language.semicolons and not _may_end(last, language):
        return False
    if closers or language.line_ends_statement:
        return True
    branches = last.type == "}" or bool(_STARTS_BRANCHES.match(first))
    sure = last.type in {";", ","} or (language.semicolons and extent is Extent.REST)
    if sure and not branches:
        return True
    if following is None or _UNDECIDED.fullmatch(following):
        return False
    return not _BRANCH.match(following) and (sure or not _CONTINUED_BY.match(following))


def _may_end(last: Leaf, language: Language) -> bool:
    return last.type in {";", "}", ":", ">"} or last.type in language.comments


def _ends_by_indent(first: str, scope: CursorScope, extent: Extent, following: str | None, opener_here: bool) -> bool:
    """Complete at the end of the last line before one that is indented too little to belong. ``opener_here``: the
    cursor's line is itself the one that opened the block."""
    begun = [line for line in first.split("\n") if line.strip()]
    indent = _width(begun[0]) if extent is not Extent.BLOCK else scope.opener_indent
    simple = extent is not Extent.BLOCK and len(begun) == 1 and not _PREFIX_LINE.match(begun[0])
    if simple and not begun[0].rstrip().endswith(":"):
        return True
    if following is None or _UNDECIDED.fullmatch(following):
        return False
    if extent is Extent.BLOCK:
        body = begun[0] if not opener_here else next(iter(begun[1:]), "")
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
    """Bracket depth at ``end`` relative to ``start`` (bytes), and the last token that is not a comment."""
    assert syntax.language is not None
    depth, last, closed_at = 0, None, None
    for leaf in syntax.leaves(start, end):
        depth += depth_change(leaf, syntax.language, syntax.source)
        if depth < 0:
            depth, closed_at = 0, leaf.start if closed_at is None else closed_at
        if leaf.type not in syntax.language.comments:
            last = leaf
    return _State(depth, last, closed_at)


def _in_string(syntax: Syntax, offset: int) -> bool:
    """Whether a line's end at ``offset`` is inside a string or a comment that spans lines."""
    assert syntax.language is not None
    byte = syntax.byte(offset)
    whole = syntax.language.strings | syntax.language.comments
    return any(n.type in whole and n.start_byte < byte < n.end_byte for n in syntax.ancestors(byte))


def _next_filled(text: str, start: int) -> str | None:
    """The next line with something on it, as far as it has come."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if text[start:end].strip():
            return text[start:end] + ("\n" if end < len(text) else "")
        start = end + 1
    return None


def _width(line: str) -> int:
    return len(indentation(line))
