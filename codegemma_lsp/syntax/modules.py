"""What a file imports from others, and what another file says of an imported name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.syntax.tree import Syntax

_MAX_MEMBERS = 24


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
    """What a file's top level says of a name: a function's header and first line of documentation, a class's with its
    members' headers, or the statement that assigns it; "" where it says nothing."""
    if syntax.tree is None:
        return ""
    for node in syntax.tree.root_node.named_children:
        defined = _defined(node)
        if defined is not None and _name_of(defined) == name:
            return _outline(defined, node)
    return ""


def _defined(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """The definition in a top-level statement, below decorators, ``export`` and the like."""
    if node.type in ("decorated_definition", "export_statement"):
        inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        return None if inner is None else _defined(inner)
    if node.type in ("expression_statement", "lexical_declaration", "variable_declaration"):
        return next(iter(node.named_children), None)
    return node


def _name_of(node: tree_sitter.Node) -> str:
    name = node.child_by_field_name("name") or node.child_by_field_name("left")
    return "" if name is None else _text(name)


def _outline(defined: tree_sitter.Node, statement: tree_sitter.Node) -> str:
    body = defined.child_by_field_name("body")
    if body is None:
        text = _text(statement)
        return text if text.count("\n") < 8 else text.split("\n")[0]
    lines = [_header(defined, body)]
    if defined.type.startswith(("class", "interface", "abstract_class")):
        for member in body.named_children[:_MAX_MEMBERS]:
            inner = _defined(member)
            inner_body = inner.child_by_field_name("body") if inner is not None else None
            if inner is not None and inner_body is not None:
                lines.append(" " * inner.start_point[1] + _header(inner, inner_body))
    return "\n".join(lines)


def _header(node: tree_sitter.Node, body: tree_sitter.Node) -> str:
    """A definition up to its body, with the first line of a Python docstring, and dots for what is left out."""
    source = _source(node)
    header = source[: body.start_byte - node.start_byte].decode(errors="replace").rstrip()
    if body.type != "block":
        return f"{header} {{ ... }}"
    first = next(iter(body.named_children), None)
    if first is None or first.type != "expression_statement" or not _text(first).startswith(('"""', "'''", 'r"""')):
        return f"{header} ..."
    said = _text(first).strip("\"'r\n ").split("\n")[0].strip()
    return f'{header}\n{" " * body.start_point[1]}"""{said}"""'


def _below(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for child in node.named_children:
        yield child
        yield from _below(child)


def _source(node: tree_sitter.Node) -> bytes:
    assert node.text is not None
    return node.text


def _text(node: tree_sitter.Node) -> str:
    return _source(node).decode(errors="replace")
