"""The cursor's scope: the definitions around it, the kind of its place, and whether a block has just been opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.languages import BRACKETS, Blocks, Language
from codegemma_lsp.syntax.tree import Leaf, Syntax
from codegemma_lsp.text import indentation, line_end, line_start

_LOOK_BACK = 3_000
"""The number of bytes before the cursor in which open brackets are searched, if no definition starts nearer."""

_INDENT_OPENERS = re.compile(
    r"\s*(async\s+)?(def|class|if|elif|else|for|while|try|except|finally|with|match|case)\b|.*\blambda\b"
)
_KEYWORD_OPENER_LINE = re.compile(
    r"\s*(local\s+)?(def|class|module|if|elsif|elif|else|elseif|unless|while|until|for|case|when|begin|rescue|ensure|"
    r"function|repeat|do|then)\b|.*\b(do|then|function)\b[^\n]*$|.*\{\s*$"
)

_BEFORE_PATTERNS = frozenset({"import", "export", "const", "let", "var"})
_NEXT_FILLED_LINE = re.compile(r"(?:[ \t\r\f]*\n)*([ \t]*)\S")


class CursorKind(Enum):
    """The kind of text that the cursor is in."""

    STATEMENT = auto()
    """The start of a statement: only indentation is before it, and no bracket is open."""
    EXPRESSION = auto()
    """A place within a statement."""
    COMMENT = auto()
    STRING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorScope:
    """The scope of a cursor.

    ``headers`` are those of the enclosing classes and functions, outermost first, without their bodies. ``opened``
    means that the cursor's block has just been opened and is empty. ``opener_indent`` is the indentation, in code
    points, of the line that opened it.
    """

    kind: CursorKind
    headers: tuple[Span, ...] = ()
    opened: bool = False
    opener_indent: int = 0


def cursor_scope(syntax: Syntax, offset: int) -> CursorScope:
    """Returns the scope at an offset in code points. It never fails. A text without a grammar has statements only."""
    text = syntax.text
    start = line_start(text, offset)
    before = text[start:offset]
    if syntax.tree is None or syntax.language is None:
        return CursorScope(kind=CursorKind.EXPRESSION if before.strip() else CursorKind.STATEMENT)
    byte = syntax.byte(offset)
    headers = definition_headers(syntax, byte)
    inside = _inside_token(syntax, syntax.language, byte)
    if inside is not None:
        return CursorScope(kind=inside, headers=headers)
    region = max(syntax.byte(headers[-1].start) if headers else 0, byte - _LOOK_BACK)
    leaves = [leaf for leaf in syntax.leaves(region, byte) if leaf.type not in syntax.language.comments]
    open_brackets = unclosed(leaves, syntax.language)
    in_brackets = bool(open_brackets) and not is_block(open_brackets[-1], syntax.language)
    opened = not in_brackets and _opens_block(syntax, syntax.language, leaves, offset)
    at_start = not before.strip() and not in_brackets
    place = CursorKind.STATEMENT if at_start else CursorKind.EXPRESSION
    if not opened:
        return CursorScope(kind=place, headers=headers)
    return CursorScope(
        kind=place,
        headers=headers,
        opened=True,
        opener_indent=len(indentation(_line_of(text, syntax.char(leaves[-1].start)))),
    )


def definition_headers(syntax: Syntax, byte: int) -> tuple[Span, ...]:
    """Returns the headers of the definitions whose body contains the byte, outermost first, without decorators."""
    if syntax.language is None:
        return ()
    last = max(0, len(syntax.source[:byte].rstrip()) - 1)
    spans = []
    for node in syntax.ancestors(last):
        # A keyword may have the same type as the definition that it begins, such as class.
        if node.is_named and node.type in syntax.language.definitions and _holds(syntax, node, byte):
            body = body_of(node)
            line_end = syntax.source.find(b"\n", node.start_byte)
            end = body.start_byte if body is not None else min(line_end if line_end >= 0 else byte, byte)
            end += syntax.source.startswith(b"{", end)
            header = syntax.source[node.start_byte : max(end, node.start_byte)].rstrip()
            spans.append(Span(syntax.char(node.start_byte), syntax.char(node.start_byte + len(header))))
    return tuple(reversed(spans))


def _holds(syntax: Syntax, node: tree_sitter.Node, byte: int) -> bool:
    """Returns whether a definition contains the byte, also if the user has not closed it yet."""
    assert syntax.language is not None
    if syntax.language.blocks is Blocks.INDENT:
        line = syntax.source[syntax.line_start(byte) : byte]
        column = len(line) - len(line.lstrip(b" \t"))
        return node.start_point[1] < column or (bool(line.strip()) and node.end_byte >= byte)
    body = body_of(node)
    if body is not None and byte <= body.start_byte:
        return False
    if node.end_byte > byte:
        return True
    last = node
    while last.children:
        last = last.children[-1]
    return last.is_missing or last.type not in {"}", "end"}


def body_of(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """Returns the part of a definition that contains its statements, or None if it is only declared."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    last = node.named_children[-1] if node.named_children else None
    return last if last is not None and re.search(r"body|block|declaration_list|_list$", last.type) else None


def unclosed(leaves: list[Leaf], language: Language) -> list[Leaf]:
    """Returns the brackets among the leaves that are open at their end, outermost first."""
    stack: list[Leaf] = []
    closers = frozenset(BRACKETS.values())
    for leaf in leaves:
        kind = _bracket(leaf, language)
        if kind in BRACKETS:
            stack.append(leaf)
        elif kind in closers and stack and BRACKETS[_bracket(stack[-1], language)] == kind:
            stack.pop()
    return stack


def is_block(leaf: Leaf, language: Language) -> bool:
    """Returns whether an opening bracket starts a block of statements, not a list, a call or a literal."""
    if _bracket(leaf, language) != "{" or language.blocks is Blocks.INDENT:
        return False
    parent, before = leaf.node.parent, leaf.node.prev_sibling
    if parent is not None and parent.is_error and before is not None and before.type in _BEFORE_PATTERNS:
        return False
    return parent is None or parent.type not in language.literals


def _bracket(leaf: Leaf, language: Language) -> str:
    return leaf.type.lstrip("$#") if language.blocks is not Blocks.TAG else ""


def _inside_token(syntax: Syntax, language: Language, byte: int) -> CursorKind | None:
    for node in syntax.ancestors(max(0, byte - 1)):
        if node.start_byte >= byte:
            continue
        if node.type in language.comments:
            closed = syntax.source[node.start_byte : node.end_byte].endswith((b"*/", b"-->"))
            return None if closed and byte == node.end_byte else CursorKind.COMMENT
        if node.type in language.strings and byte < node.end_byte:
            return CursorKind.STRING
    start = syntax.line_start(byte)
    if any(node.start_byte <= byte and node.end_byte >= start for node in syntax.errors()):
        return _inside_by_quotes(syntax.source[start:byte].decode(errors="ignore"), language)
    return None


def _inside_by_quotes(before: str, language: Language) -> CursorKind | None:
    """Returns whether a quote is open before the cursor, in a line that does not parse."""
    quotes = language.quotes
    quote, escaped = "", False
    for char in before:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in quotes:
            quote = char
    return CursorKind.STRING if quote else None


def _opens_block(syntax: Syntax, language: Language, leaves: list[Leaf], offset: int) -> bool:
    if not leaves:
        return False
    last = leaves[-1]
    line = _line_of(syntax.text, syntax.char(last.start))
    if language.blocks is Blocks.INDENT:
        opens = last.type == ":" and (language.name == "yaml" or bool(_INDENT_OPENERS.match(line)))
    elif language.blocks is Blocks.KEYWORD:
        keywords = {"do", "then", "else", "begin", "repeat", "{"}
        header = bool(_KEYWORD_OPENER_LINE.match(line)) and syntax.text.count("\n", syntax.char(last.end), offset) > 0
        ends = any(leaf.type in language.closers for leaf in leaves if leaf.start >= syntax.byte(offset - len(line)))
        opens = last.type in keywords or (header and not ends)
    elif language.blocks is Blocks.TAG:
        opens = last.type == ">" and last.node.parent is not None and last.node.parent.type == "start_tag"
    else:
        opens = is_block(last, language)
    return opens and _empty_below(syntax.text, offset, len(indentation(line)))


def _empty_below(text: str, offset: int, opener_indent: int) -> bool:
    """Returns whether the next line that is not empty is not indented deeper than the line that opened the block."""
    line_end = text.find("\n", offset)
    below = _NEXT_FILLED_LINE.match(text, line_end + 1) if line_end >= 0 else None
    return below is None or len(below.group(1)) <= opener_indent


def _line_of(text: str, offset: int) -> str:
    return text[line_start(text, offset) : line_end(text, offset)]
