"""Finds what a file imports from others in Python, JavaScript and TypeScript."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.syntax.tree import Syntax

_AROUND_IMPORTS = frozenset({"if_statement", "try_statement", "else_clause", "except_clause", "block", "ERROR"})
"""The types of nodes in which imports may stand at a file's head, such as ``if TYPE_CHECKING``. A half-typed line
further down often turns everything above it into an error node."""


@dataclass(frozen=True, slots=True)
class ImportedName:
    """A name in another file, and the name that it has in this file."""

    original: str
    local: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A module as the source names it (``a.b``, ``..a``, ``./a``), and what is imported from it.

    ``names`` are imported one by one. ``local`` is the name of the module itself in this file, or "" if it has none.
    ``everything`` means that all names are imported. ``exported`` means that the names are for other files and not for
    this one.
    """

    module: str
    names: tuple[ImportedName, ...] = ()
    local: str = ""
    everything: bool = False
    exported: bool = False


def imported(syntax: Syntax) -> list[Imported]:
    """Returns the imports of a Python, JavaScript or TypeScript file outside its definitions, in order. The list is
    empty for other languages."""
    return [] if syntax.tree is None else list(_imports_in(syntax.tree.root_node))


def _imports_in(node: tree_sitter.Node) -> Iterator[Imported]:
    for child in node.named_children:
        if child.type in _AROUND_IMPORTS:
            yield from _imports_in(child)
        elif child.type == "import_from_statement":
            yield from _from_import(child)
        elif child.type == "import_statement":
            yield from _script_import(child) if child.child_by_field_name("source") else _python_import(child)
        elif child.type == "export_statement" and child.child_by_field_name("source") is not None:
            yield _script_export(child)


def _from_import(node: tree_sitter.Node) -> Iterator[Imported]:
    module = node.child_by_field_name("module_name")
    if module is None:
        return
    everything = any(child.type == "wildcard_import" for child in node.named_children)
    names = tuple(_named(name) for name in node.children_by_field_name("name"))
    yield Imported(module=text_of(module), names=names, everything=everything)


def _python_import(node: tree_sitter.Node) -> Iterator[Imported]:
    for name in node.children_by_field_name("name"):
        found = _named(name)
        yield Imported(module=found.original, local=found.local)


def _script_import(node: tree_sitter.Node) -> Iterator[Imported]:
    source = node.child_by_field_name("source")
    assert source is not None
    names, local = [], ""
    for child in below(node):
        if child.type == "import_specifier":
            names.append(_named(child))
        elif child.type == "namespace_import":
            local = text_of(child.named_children[0]) if child.named_children else ""
        elif child.type == "identifier" and child.parent is not None and child.parent.type == "import_clause":
            names.append(ImportedName("default", text_of(child)))
    yield Imported(module=_unquoted(source), names=tuple(names), local=local)


def _script_export(node: tree_sitter.Node) -> Imported:
    source = node.child_by_field_name("source")
    assert source is not None
    names = tuple(_named(child) for child in below(node) if child.type == "export_specifier")
    is_namespace = any(child.type == "namespace_export" for child in node.named_children)
    return Imported(module=_unquoted(source), names=names, everything=not names and not is_namespace, exported=True)


def _named(node: tree_sitter.Node) -> ImportedName:
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    original = text_of(name if name is not None else node)
    return ImportedName(original, text_of(alias) if alias is not None else original)


def _unquoted(node: tree_sitter.Node) -> str:
    return text_of(node).strip("'\"`")


def below(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yields the named nodes below a node, each before the nodes below it."""
    for child in node.named_children:
        yield child
        yield from below(child)


def source_of(node: tree_sitter.Node) -> bytes:
    assert node.text is not None
    return node.text


def text_of(node: tree_sitter.Node) -> str:
    return source_of(node).decode(errors="replace")
