"""Places where a file can be cut open and what was there compared with what is suggested."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.tree import Syntax

_BODIES = frozenset({"block", "statement_block", "class_body", "compound_statement", "declaration_list"})
_MIN_CHARS = 6
_MAX_CHARS = 600


class Cut(StrEnum):
    """A line from its first word on; the statements of a block; a value, an argument or a condition."""

    LINE = "line"
    BLOCK = "block"
    EXPRESSION = "expression"


def cuts(syntax: Syntax, kind: Cut) -> list[Span]:
    """Every such place in a file, in order; comments, and strings that stand alone, are none."""
    if syntax.tree is None or syntax.language is None:
        return []
    if kind is Cut.LINE:
        return _lines(syntax)
    found = []
    for node in _nodes(syntax.tree.root_node):
        wanted = _is_block(node, syntax) if kind is Cut.BLOCK else _is_expression(node, syntax)
        if wanted and not node.has_error:
            span = _inside(node, syntax) if kind is Cut.BLOCK else _span(node, syntax)
            if _MIN_CHARS <= len(span) <= _MAX_CHARS:
                found.append(span)
    return found


def _lines(syntax: Syntax) -> list[Span]:
    assert syntax.tree is not None
    assert syntax.language is not None
    skipped = syntax.language.comments | syntax.language.strings
    found, start = [], 0
    for line in syntax.text.split("\n"):
        begin = start + len(line) - len(line.lstrip())
        end = start + len(line.rstrip())
        node = syntax.tree.root_node.descendant_for_byte_range(syntax.byte(begin), syntax.byte(begin))
        if end - begin >= _MIN_CHARS and node is not None and not _within(node, skipped):
            found.append(Span(begin, end))
        start += len(line) + 1
    return found


def _within(node: tree_sitter.Node | None, types: frozenset[str]) -> bool:
    while node is not None:
        if node.type in types:
            return True
        node = node.parent
    return False


def _is_block(node: tree_sitter.Node, syntax: Syntax) -> bool:
    """Whether a node is a block with a statement in it that says something."""
    assert syntax.language is not None
    silent = syntax.language.comments | {"expression_statement"}
    says = any(
        child.type not in silent or any(c.type not in syntax.language.strings for c in child.named_children)
        for child in node.named_children
    )
    return node.type in _BODIES and says


def _is_expression(node: tree_sitter.Node, syntax: Syntax) -> bool:
    """Whether a node is what its parent calls a value, a condition or an argument, on one line."""
    parent = node.parent
    assert syntax.language is not None
    if parent is None or not node.is_named or node.start_point[0] != node.end_point[0]:
        return False
    if node.type in syntax.language.comments:
        return False
    named = any(parent.child_by_field_name(name) == node for name in ("value", "right", "condition"))
    call = parent.parent is not None and parent.parent.child_by_field_name("arguments") == parent
    return named or (call and node.type != "keyword_argument")


def _inside(node: tree_sitter.Node, syntax: Syntax) -> Span:
    """A block without the braces around it and the blanks within them."""
    span = _span(node, syntax)
    text = syntax.text[span.start : span.end]
    if node.children and node.children[0].type == "{":
        inner = text[1:-1]
        lead = len(inner) - len(inner.lstrip())
        return Span(span.start + 1 + lead, span.start + 1 + len(inner.rstrip())) if inner.strip() else Span(0, 0)
    return Span(span.start, span.start + len(text.rstrip()))


def _span(node: tree_sitter.Node, syntax: Syntax) -> Span:
    return Span(syntax.char(node.start_byte), syntax.char(node.end_byte))


def _nodes(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.children))
