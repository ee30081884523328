"""Whether generated text has finished what the cursor's position began."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from codegemma_lsp.syntax.languages import BRACKETS, Blocks, Language
from codegemma_lsp.syntax.scope import Place, Scope
from codegemma_lsp.syntax.tree import Leaf, Syntax

_VOID_TAGS = frozenset(b"area base br col embed hr img input link meta source track wbr !doctype".split())
"""HTML Standard, 13.1.2."""
_CONTINUES = frozenset(
    "= += -= *= /= + - * / % , . -> => :: ? : && || & | ^ < ( [ and or not in is if else :=".split()  # noqa: SIM905
)


class Extent(Enum):
    """How much a suggestion may bring."""

    LINE = auto()
    """The rest of the line."""
    STATEMENT = auto()
    """One statement with the block that belongs to it."""
    BLOCK = auto()
    """The statements of the block that has just been opened."""


def extent_at(scope: Scope, text_follows: bool) -> Extent:
    """Several lines where a block has just been opened, one statement on an empty line, else the line's rest.

    ``text_follows``: something other than closing brackets stands between the cursor and the end of its line.
    """
    if text_follows or scope.place in (Place.COMMENT, Place.STRING):
        return Extent.LINE
    if scope.opened:
        return Extent.BLOCK
    return Extent.STATEMENT if scope.place is Place.STATEMENT else Extent.LINE


@dataclass(frozen=True, slots=True)
class _State:
    depth: int
    last: Leaf | None
    closed_at: int | None
    """Start of the token that closed something opened before the cursor, in bytes."""


def is_complete(syntax: Syntax, offset: int, extent: Extent, opener_indent: int = 0) -> int | None:
    """Where in ``syntax.text`` (code points) the generated text is complete, or None where it is not yet.

    ``syntax`` holds the prefix and what has been generated, nothing after it; ``offset`` is the cursor. What lies
    beyond the returned offset belongs to the next statement or to an outer block and is to be cut. ``opener_indent``
    is ``Scope.opener_indent``.
    """
    if extent is Extent.LINE:
        end = syntax.text.find("\n", offset)
        return None if end < 0 else end
    if syntax.tree is None or syntax.language is None:
        return _plain_complete(syntax.text, offset, extent)
    boundaries = _boundaries(syntax.text, offset)
    if syntax.language.blocks is Blocks.INDENT:
        return _indent_complete(syntax, offset, extent, opener_indent, boundaries)
    return _bracket_complete(syntax, syntax.language, offset, extent, boundaries)


def _boundaries(text: str, offset: int) -> list[int]:
    """Offsets of the line ends in the generated text that have something other than blanks before them."""
    found = []
    at = text.find("\n", offset)
    while at >= 0:
        if text[offset:at].strip():
            found.append(at)
        at = text.find("\n", at + 1)
    return found


def _plain_complete(text: str, offset: int, extent: Extent) -> int | None:
    """Without a grammar: a statement is a line, a block ends at an empty line."""
    for at in _boundaries(text, offset):
        if extent is Extent.STATEMENT or text[at + 1 :].startswith("\n"):
            return at
    return None


def _indent_complete(syntax: Syntax, offset: int, extent: Extent, opener_indent: int, ends: list[int]) -> int | None:
    """Complete at the end of the last logical line before one that is indented too little to belong."""
    text = syntax.text
    line_start = text.rfind("\n", 0, offset) + 1
    column = len(text[line_start:offset]) if not text[line_start:offset].strip() else _indent_of(text, line_start)
    least = opener_indent + 1 if extent is Extent.BLOCK else column + 1
    for at in ends:
        state = _scan(syntax, syntax.byte(offset), syntax.byte(at))
        if state.closed_at is not None:
            return syntax.char(state.closed_at)
        if state.depth > 0 or _in_string(syntax, at):
            continue
        opens = state.last is not None and state.last.type == ":"
        if extent is Extent.STATEMENT and not opens and at == ends[0]:
            return at
        next_line = _next_filled_line(text, at + 1)
        if next_line is not None and not opens and _indent_of(text, next_line) < least:
            return at
    return None


def _bracket_complete(syntax: Syntax, language: Language, offset: int, extent: Extent, ends: list[int]) -> int | None:
    """Complete where an outer bracket is closed, or, for a statement, at a line's end with every bracket closed."""
    start = syntax.byte(offset)
    for at in [*ends, len(syntax.text)]:
        state = _scan(syntax, start, syntax.byte(at))
        if state.closed_at is not None:
            closed = syntax.char(state.closed_at)
            return closed if extent is Extent.STATEMENT else _with_rest_of_closer(syntax, closed)
        if extent is Extent.BLOCK or at == len(syntax.text) or state.depth > 0 or _in_string(syntax, at):
            continue
        if state.last is not None and _ends_statement(state.last, language):
            return at
    return None


def _with_rest_of_closer(syntax: Syntax, closed: int) -> int:
    """The end of the closing token and of the punctuation that belongs to it, as in ``});``."""
    end = closed
    text = syntax.text
    while end < len(text) and (text[end].isalpha() or text[end] in ")]};,</>"):
        end += 1
    return end


def _ends_statement(last: Leaf, language: Language) -> bool:
    if last.type in _CONTINUES:
        return False
    return not language.semicolons or last.type in {";", "}", ":", ">"} or last.type in language.comments


def _scan(syntax: Syntax, start: int, end: int) -> _State:
    """Bracket depth at ``end`` relative to ``start`` (bytes), and the last token that is not a comment."""
    assert syntax.language is not None
    depth, last = 0, None
    for leaf in syntax.leaves(start, end):
        change = _depth_change(leaf, syntax.language, syntax.source)
        depth += change
        if depth < 0:
            return _State(depth, leaf, leaf.start)
        if leaf.type not in syntax.language.comments:
            last = leaf
    return _State(depth, last, None)


def _depth_change(leaf: Leaf, language: Language, source: bytes) -> int:
    kind = leaf.type.lstrip("$#") or leaf.type
    if language.blocks is Blocks.TAG:
        return _tag_change(leaf, source)
    if kind in BRACKETS or kind == "#{":
        return 1
    if kind in BRACKETS.values():
        return -1
    parent = leaf.node.parent
    family = parent.type if parent is not None else ""
    if kind in language.closers:
        return -1
    if kind not in language.openers or family.endswith("modifier"):
        return 0
    outer = parent.parent.type if parent is not None and parent.parent is not None else ""
    loops = {"while", "until", "for", "while_statement", "for_statement", "repeat_statement"}
    return 0 if kind == "do" and (family in loops or outer in loops) and "do" not in _loop_openers(language) else 1


def _loop_openers(language: Language) -> frozenset[str]:
    """``do`` counts as the opener of a loop where the loop's own keyword does not."""
    return frozenset({"do"}) if "while" not in language.openers else frozenset()


def _tag_change(leaf: Leaf, source: bytes) -> int:
    if leaf.type == "</":
        return -1
    if leaf.type == "/>":
        return -1
    if leaf.type != "<":
        return 0
    name = source[leaf.end : leaf.end + 12].split(b">")[0].split(b" ")[0].split(b"/")[0].lower()
    return 0 if name in _VOID_TAGS else 1


def _in_string(syntax: Syntax, offset: int) -> bool:
    """Whether a line's end at ``offset`` is inside a string or a comment that spans lines."""
    assert syntax.language is not None
    byte = syntax.byte(offset)
    whole = syntax.language.strings | syntax.language.comments
    return any(n.type in whole and n.start_byte < byte < n.end_byte for n in syntax.ancestors(byte))


def _next_filled_line(text: str, start: int) -> int | None:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if text[start:end].strip():
            return start
        start = end + 1
    return None


def _indent_of(text: str, line_start: int) -> int:
    end = line_start
    while end < len(text) and text[end] in " \t":
        end += 1
    return end - line_start
