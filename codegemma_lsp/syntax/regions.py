"""Turns a selection into whole lines of complete nodes, and finds the definition around it."""

from __future__ import annotations

from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.languages import Blocks, Language
from codegemma_lsp.syntax.scope import body_of
from codegemma_lsp.syntax.tree import Syntax

_MAY_FOLLOW = frozenset(",;) \t")
"""The characters that may stand between a node and its line's end without being part of what is rewritten."""
WRAPPERS = frozenset(
    {
        "decorated_definition",
        "export_statement",
        "template_declaration",
        "lexical_declaration",
        "variable_declaration",
        "variable_declarator",
        "public_field_definition",
        "pair",
    }
)
"""The types of nodes whose value may be a definition, and whose start is the place of its documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A function or a class.

    ``span`` includes decorators, ``export`` and the like. ``body`` is from the start of the first statement to the end
    of the last one, or None if there is none. ``head`` is the place of comments on it: the start of a line, after its
    indentation. ``documentation`` is the existing one: the string or the comments, without the indentation before them.
    """

    name: str
    is_class: bool
    span: Span
    body: Span | None
    head: int
    documentation: Span | None


def region_at(syntax: Syntax, selection: Span) -> Span:
    """Returns whole lines, without the last line end: those of the smallest complete nodes that cover the selection, or
    the line if nothing is selected. If there is no tree, or the selection is blank, the lines are returned as they
    are."""
    start, end = trimmed(syntax.text, selection)
    first, last = syntax.byte(start), syntax.byte(end)
    node = None
    if syntax.tree is not None and start < end:
        node = syntax.tree.root_node.descendant_for_byte_range(first, max(first, last - 1))
    while node is not None and node.parent is not None:
        inner = _covering(node, first, last)
        if _stands_alone(syntax, *inner):
            first, last = inner
            break
        node = node.parent
    if node is not None and node.parent is None:
        inner = _covering(node, first, last)
        first, last = inner if _stands_alone(syntax, *inner) else (first, last)
    return whole_lines(syntax.text, Span(syntax.char(first), syntax.char(last)))


def trimmed(text: str, selection: Span) -> tuple[int, int]:
    """Returns a selection without the blanks at its ends. For an empty selection, returns the text of its line."""
    start, end = selection.start, selection.end
    if not text[start:end].strip():
        line = whole_lines(text, Span(start, start))
        start, end = line.start, line.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def whole_lines(text: str, span: Span) -> Span:
    """Returns the span from the start of the first line to the end of the last, which is excluded. Line ends are LF, CR
    LF or CR."""
    start = max(text.rfind("\n", 0, span.start), text.rfind("\r", 0, span.start)) + 1
    ends = [at for at in (text.find("\n", span.end), text.find("\r", span.end)) if at >= 0]
    return Span(start, min(ends, default=len(text)))


def _covering(node: tree_sitter.Node, first: int, last: int) -> tuple[int, int]:
    """Returns the children of a node that the bytes touch, with those on the same lines, or the node itself if the
    bytes reach beyond its children."""
    children = node.named_children
    touched = [i for i, child in enumerate(children) if child.end_byte > first and child.start_byte < last]
    if not touched or children[touched[0]].start_byte > first or children[touched[-1]].end_byte < last:
        return node.start_byte, node.end_byte
    low, high = touched[0], touched[-1]
    while low > 0 and children[low - 1].end_point[0] == children[low].start_point[0]:
        low -= 1
    while high + 1 < len(children) and children[high + 1].start_point[0] == children[high].end_point[0]:
        high += 1
    return children[low].start_byte, children[high].end_byte


def _stands_alone(syntax: Syntax, first: int, last: int) -> bool:
    """Returns whether only blanks are before these bytes on their first line, and nothing significant after them."""
    end = syntax.source.find(b"\n", last)
    after = syntax.source[last : end if end >= 0 else len(syntax.source)].decode(errors="ignore").strip()
    rest = after.lstrip("".join(_MAY_FOLLOW))
    return syntax.begins_line(first) and (not rest or rest.startswith(("#", "//", "--", "/*")))


def definition_at(syntax: Syntax, selection: Span) -> Definition | None:
    """Returns the innermost function around a selection, or else the innermost class, or None."""
    if syntax.tree is None or syntax.language is None:
        return None
    start, end = trimmed(syntax.text, selection)
    first, last = syntax.byte(start), syntax.byte(end)
    node = syntax.tree.root_node.descendant_for_byte_range(first, max(first, last - 1))
    around = []
    while node is not None:
        around.append(node)
        node = node.parent
    # A decorator, or ``export``, is around its definition and not in it.
    inside = [child for node in around if node.type in WRAPPERS for child in node.named_children]
    for types in (syntax.language.functions, syntax.language.classes):
        found = next((n for n in (*around, *inside) if n.is_named and n.type in types), None)
        if found is not None:
            return _definition(syntax, found)
    return None


def _definition(syntax: Syntax, node: tree_sitter.Node) -> Definition:
    assert syntax.language is not None
    outer = node
    while outer.parent is not None and outer.parent.type in WRAPPERS:
        outer = outer.parent
    top = outer
    while top.prev_sibling is not None and top.prev_sibling.type == "attribute_item":
        top = top.prev_sibling
    body = body_of(node)
    statements = [c for c in body.named_children if c.type != "comment"] if body is not None else []
    inside = syntax.language.blocks is Blocks.INDENT
    line = top
    while not syntax.begins_line(line.start_byte) and line.parent is not None:
        line = line.parent
    documentation = _docstring(statements) if inside else comments_above(syntax, line)
    return Definition(
        name=definition_name(node, outer),
        is_class=node.type in syntax.language.classes,
        span=Span(syntax.char(top.start_byte), syntax.char(outer.end_byte)),
        body=nodes_span(syntax, statements[0], statements[-1]) if statements else None,
        head=syntax.char(line.start_byte),
        documentation=nodes_span(syntax, *documentation) if documentation is not None else None,
    )


def is_text_alone(node: tree_sitter.Node) -> bool:
    """Returns whether a statement is a text alone, such as a docstring or ``"use strict"``."""
    children = node.named_children
    return node.type == "expression_statement" and len(children) == 1 and children[0].type == "string"


def definition_name(node: tree_sitter.Node, outer: tree_sitter.Node) -> str:
    """Returns the name of a definition, which what wraps it may have, or ""."""
    found: tree_sitter.Node | None = node
    while found is not None:
        name = found.child_by_field_name("name")
        if name is not None:
            return (name.text or b"").decode(errors="replace")
        if (declarator := found.child_by_field_name("declarator")) is not None:
            return _declared(declarator)
        found = found.parent if found != outer else None
    return ""


def _declared(declarator: tree_sitter.Node) -> str:
    """Returns the name that a declarator of C or C++ declares."""
    inner: tree_sitter.Node | None = declarator
    while inner is not None:
        declarator = inner
        inner = declarator.child_by_field_name("declarator")
    return (declarator.text or b"").decode(errors="replace")


def _docstring(statements: list[tree_sitter.Node]) -> tuple[tree_sitter.Node, tree_sitter.Node] | None:
    if statements and statements[0].type == "expression_statement":
        child = statements[0].named_children[0] if statements[0].named_children else None
        if child is not None and child.type == "string":
            return statements[0], statements[0]
    return None


def comments_above(syntax: Syntax, node: tree_sitter.Node) -> tuple[tree_sitter.Node, tree_sitter.Node] | None:
    """Returns the first and the last of the comments that end on the line above a node, each on the line above the
    next."""
    assert syntax.language is not None
    first = last = None
    row, above = node.start_point[0], node.prev_sibling
    while above is not None and above.type in syntax.language.comments:
        # The grammars of Rust and other languages include the line's end in the comment.
        end_row = above.end_point[0] - (1 if above.end_point[1] == 0 else 0)
        if end_row != row - 1 or not syntax.begins_line(above.start_byte):
            break
        first, last = above, last or above
        row, above = above.start_point[0], above.prev_sibling
    return (first, last) if first is not None and last is not None else None


def nodes_span(syntax: Syntax, first: tree_sitter.Node, last: tree_sitter.Node) -> Span:
    """Returns the span from a node to another one, without blanks at its end."""
    end = last.end_byte
    while end > first.start_byte and syntax.source[end - 1 : end].isspace():
        end -= 1
    return Span(syntax.char(first.start_byte), syntax.char(end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement at the top level of a text, with the decorators or the comments above it.

    ``defines`` is the name of the function or the class that it defines, or "". ``is_sound`` says whether the parser
    found no error in it.
    """

    span: Span
    defines: str = ""
    is_definition: bool = False
    is_import: bool = False
    is_sound: bool = True


def statements(syntax: Syntax) -> tuple[Statement, ...]:
    """Returns the statements at the top level of a text, in order, without comments, or none if there is no grammar."""
    if syntax.tree is None or syntax.language is None:
        return ()
    nodes = (node for node in syntax.tree.root_node.named_children if node.type not in syntax.language.comments)
    return tuple(_statement(syntax, syntax.language, node) for node in nodes)


def _statement(syntax: Syntax, language: Language, node: tree_sitter.Node) -> Statement:
    inner = [node]
    while inner[-1].type in WRAPPERS and inner[-1].named_children:
        wrapped = [child for child in inner[-1].named_children if child.type in language.definitions | WRAPPERS]
        if not wrapped:
            break
        inner.append(wrapped[-1])
    found = next((one for one in inner if one.type in language.definitions), None)
    return Statement(
        span=Span(syntax.char(node.start_byte), syntax.char(node.end_byte)),
        defines=definition_name(found, node) if found is not None else "",
        is_definition=found is not None,
        is_import=node.type in language.imports,
        is_sound=not node.has_error,
    )


def named(syntax: Syntax, name: str) -> Span | None:
    """Returns the first definition of a name in a text, with decorators and the like, or None."""
    if syntax.tree is None or syntax.language is None:
        return None
    pending = [syntax.tree.root_node]
    while pending:
        node = pending.pop()
        if node.type in syntax.language.definitions and node.is_named:
            found = _definition(syntax, node)
            if found.name == name:
                return found.span
        pending.extend(reversed(node.named_children))
    return None
