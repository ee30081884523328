"""Finds places where a file can be cut open to compare the removed text with a suggestion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.tree import Syntax

_BODIES = frozenset({"block", "statement_block", "class_body", "compound_statement", "declaration_list"})
_BEGUN = re.compile(r"[\\{(\[,:]$")
"""Matches the end of a line that begins something."""
_MIN_CHARS = 6
_MAX_CHARS = 600


class Cut(StrEnum):
    """The kinds of cuts: a line from its first word on, the statements of a block, and a value, an argument or a
    condition."""

    LINE = "line"
    BLOCK = "block"
    EXPRESSION = "expression"


def cuts(syntax: Syntax, kind: Cut) -> list[Span]:
    """Returns every place of a kind in a file, in order. Comments, and strings that stand alone, are excluded."""
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
    """Returns whether a node is a block that contains a statement with some effect."""
    assert syntax.language is not None
    silent = syntax.language.comments | {"expression_statement"}
    says = any(
        child.type not in silent or any(c.type not in syntax.language.strings for c in child.named_children)
        for child in node.named_children
    )
    return node.type in _BODIES and says


def _is_expression(node: tree_sitter.Node, syntax: Syntax) -> bool:
    """Returns whether a node is a value, a condition or an argument of its parent, on one line."""
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
    """Returns a block without the braces around it and the blanks within them."""
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


def whole_statements(syntax: Syntax) -> list[Span]:
    """Returns the statements that take one line each and end with it, in order."""
    if syntax.tree is None:
        return []
    return [span for span in _lines(syntax) if _is_statement(syntax, span)]


def _is_statement(syntax: Syntax, line: Span) -> bool:
    assert syntax.tree is not None
    start, end = syntax.byte(line.start), syntax.byte(line.end)
    node = syntax.tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
    while node is not None and node.end_byte <= end and node.parent is not None and node.parent.end_byte <= end:
        if node.parent.start_byte < start:
            break
        node = node.parent
    if node is None or not node.is_named or node.has_error or (node.start_byte, node.end_byte) != (start, end):
        return False
    return _BEGUN.search(syntax.text[line.start : line.end]) is None
