"""What a file imports from others, and what another file says of an imported name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.syntax.tree import Syntax

_MAX_MEMBERS = 24
_INDENT = 2


@dataclass(frozen=True, slots=True)
class Imported:
    """A module as the source names it (``a.b``, ``..a``, ``./a``), and the names taken from it, none where the module
    itself is."""

    module: str
    names: tuple[str, ...] = ()


def imported(syntax: Syntax) -> list[Imported]:
    """The imports at the top level of a Python, JavaScript or TypeScript file, in order; none in other languages."""
    if syntax.tree is None:
        return []
    return [found for node in syntax.tree.root_node.named_children for found in _imports_of(node)]


def _imports_of(node: tree_sitter.Node) -> Iterator[Imported]:
    if node.type == "import_from_statement":
        module = node.child_by_field_name("module_name")
        names = [_original(name) for name in node.children_by_field_name("name")]
        if module is not None:
            yield Imported(_text(module), tuple(names))
    elif node.type == "import_statement":
        source = node.child_by_field_name("source")
        if source is not None:
            specifiers = [child for child in _below(node) if child.type == "import_specifier"]
            yield Imported(_text(source).strip("'\""), tuple(_original(s) for s in specifiers))
        else:
            yield from (Imported(_original(name)) for name in node.children_by_field_name("name"))


def _original(node: tree_sitter.Node) -> str:
    """The name that the other file knows, of one that may be renamed here."""
    name = node.child_by_field_name("name")
    return _text(name if name is not None else node)


def definition(syntax: Syntax, name: str) -> str:
    """What a file's top level says of a name, in the language's own words with dots for what is left out: a function's
    header, a class with its members' first lines, the statement that assigns it; "" where it says nothing."""
    if syntax.tree is None:
        return ""
    for statement in syntax.tree.root_node.named_children:
        for node in _defined(statement):
            if _name_of(node) == name:
                return _outline(node, statement)
    return ""


def _defined(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The definitions in a statement, below decorators, ``export`` and the like."""
    if node.type in ("decorated_definition", "export_statement", "ambient_declaration"):
        return [found for child in node.named_children for found in _defined(child)]
    if node.type in ("expression_statement", "lexical_declaration", "variable_declaration"):
        return list(node.named_children)
    return [node]


def _name_of(node: tree_sitter.Node) -> str:
    name = node.child_by_field_name("name") or node.child_by_field_name("left")
    return "" if name is None else _text(name)


def _outline(node: tree_sitter.Node, statement: tree_sitter.Node) -> str:
    body = node.child_by_field_name("body")
    if body is None:
        text = _text(statement)
        return text if text.count("\n") < _MAX_MEMBERS else text.split("\n")[0]
    if not any(word in node.type for word in ("class", "interface", "enum")):
        return _header(statement, body)
    members = [_member(child) for child in body.named_children[:_MAX_MEMBERS] if child.type != "comment"]
    close = "" if body.type == "block" else "\n}"
    opener = "" if body.type == "block" else " {"
    return "\n".join([_until(statement, body) + opener, *members]) + close


def _member(node: tree_sitter.Node) -> str:
    """A member of a class: a method's header, or its first line; with the indentation that it has,
    if it has a line of its own."""
    inner = next(iter(_defined(node)), node)
    body = inner.child_by_field_name("body")
    text = _header(node, body) if body is not None else _text(node).split("\n")[0]
    alone = node.parent is None or node.start_point[0] != node.parent.start_point[0]
    return " " * (node.start_point[1] if alone else _INDENT) + text


def _header(node: tree_sitter.Node, body: tree_sitter.Node) -> str:
    """A definition up to its body, with the first line of a Python docstring, and dots for what is left out."""
    header = _until(node, body)
    if body.type != "block":
        return f"{header} {{ ... }}"
    said = _docstring(body)
    return f'{header}\n{" " * body.start_point[1]}"""{said}"""' if said else f"{header} ..."


def _docstring(body: tree_sitter.Node) -> str:
    """The first line of a Python docstring, without its quotes."""
    first = next(iter(body.named_children), None)
    string = next(iter(first.named_children), None) if first is not None else None
    if string is None or string.type != "string":
        return ""
    return _text(string).lstrip("rRuU").strip("\"'\n ").split("\n")[0].strip()


def _until(node: tree_sitter.Node, body: tree_sitter.Node) -> str:
    return _source(node)[: body.start_byte - node.start_byte].decode(errors="replace").rstrip()


def _below(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for child in node.named_children:
        yield child
        yield from _below(child)


def _source(node: tree_sitter.Node) -> bytes:
    assert node.text is not None
    return node.text


def _text(node: tree_sitter.Node) -> str:
    return _source(node).decode(errors="replace")
