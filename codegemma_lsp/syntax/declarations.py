"""Outlines of definitions, which contain what a reader of another file needs to know about them."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter

from codegemma_lsp.syntax.languages import Blocks
from codegemma_lsp.syntax.modules import below, source_of, text_of
from codegemma_lsp.syntax.scope import body_of
from codegemma_lsp.syntax.tree import Syntax

_MOST_MEMBERS = 24
_MOST_FIELDS = 12
_SMALL_BODY = 3
"""The number of lines of a body that is shown whole."""
_INDENT = 2
_LONGEST_LINE = 160
_WRAPPERS = frozenset(
    {
        "decorated_definition",
        "export_statement",
        "ambient_declaration",
        "expression_statement",
        "lexical_declaration",
        "variable_declaration",
        "namespace_definition",
        "namespace_declaration",
        "file_scoped_namespace_declaration",
        "internal_module",
        "declaration_list",
        "statement_block",
        "linkage_specification",
        "template_declaration",
        "type_declaration",
        "const_declaration",
        "var_declaration",
        "preproc_ifdef",
        "preproc_if",
        "mod_item",
    }
)
"""Nodes that hold definitions of the same level."""
_GROUPS = ("declaration_list", "mod_item", "preproc_if", "linkage_specification")
"""The starts of the types of statements that hold any number of definitions."""


def definition(syntax: Syntax, name: str) -> str:
    """Returns the outline of a name at a file's top level, or "" if it is not defined there.

    This is a function's header with the first line of its docstring, a class with its fields and the headers of its
    methods, or the statement that assigns the name. Dots stand for what is left out. Bodies of a few lines are shown.
    """
    return definitions(syntax).get(name, "")


def definitions(syntax: Syntax) -> dict[str, str]:
    """Returns the outlines of all names at a file's top level, in order. ``default`` is the default export."""
    found: dict[str, str] = {}
    if syntax.tree is None or syntax.language is None:
        return found
    for statement in syntax.tree.root_node.named_children:
        if statement.type in syntax.language.imports or statement.type.startswith("import"):
            continue
        for node in _defined(statement):
            if (name := name_of(node)) and name not in found:
                found[name] = _outline(syntax, node, statement if _is_alone(statement, node) else node)
            elif name and node.type in {"impl_item", "method_declaration"}:
                found[name] += f"\n{_outline(syntax, node, node)}"
            if name and text_of(statement).startswith("export default"):
                found["default"] = found[name]
    return found


def outline_at(syntax: Syntax, offset: int) -> tuple[str, str] | None:
    """Returns the name and the outline of the definition that stands at an offset, or None if there is none.

    This is the outline of a definition at the top level as ``definitions`` has it. Of a member of a class it is the
    header of the class and the member alone, and the name has a dot. Blanks at the offset are passed over.
    """
    if syntax.tree is None or syntax.language is None:
        return None
    blanks = len(rest := syntax.text[offset : offset + _LONGEST_LINE]) - len(rest.lstrip(" \t"))
    byte = syntax.byte(offset + blanks)
    statement = next((one for one in syntax.tree.root_node.named_children if _holds(one, byte)), None)
    if statement is None:
        return None
    nodes = [node for node in _defined(statement) if name_of(node)]
    node = next((node for node in nodes if _holds(node, byte)), nodes[0] if len(nodes) == 1 else None)
    if node is None:
        return None
    name = name_of(node)
    if (method := node.child_by_field_name("name")) is not None and node.child_by_field_name("receiver") is not None:
        return f"{name}.{text_of(method)}", _outline(syntax, node, node)
    if (member := _member_at(syntax, node, byte)) is not None:
        inner = next(filter(None, map(name_of, _defined(member))), "")
        outer = statement if _is_alone(statement, node) else node
        return f"{name}.{inner}" if inner else name, _outline(syntax, node, outer, member)
    outline = definitions(syntax).get(name)
    return (name, outline) if outline else None


def _holds(node: tree_sitter.Node, byte: int) -> bool:
    return node.start_byte <= byte < node.end_byte


def _member_at(syntax: Syntax, node: tree_sitter.Node, byte: int) -> tree_sitter.Node | None:
    body = body_of(node)
    if body is None or not _has_members(syntax, node):
        return None
    return next((child for child in body.named_children if _holds(child, byte)), None)


def _is_alone(statement: tree_sitter.Node, node: tree_sitter.Node) -> bool:
    """Returns whether a statement holds one definition only, so that it is shown from its start."""
    return not statement.type.startswith(_GROUPS) and "namespace" not in statement.type


def _defined(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Returns the definitions in a statement, below decorators, ``export`` and the like."""
    if node.type in _WRAPPERS:
        return [found for child in node.named_children for found in _defined(child)]
    return [node]


def name_of(node: tree_sitter.Node) -> str:
    """Returns the name that a node defines, or "" if it is no definition."""
    if node.type == "impl_item":
        return _bare_type(node.child_by_field_name("type"))
    if node.type == "method_declaration" and (receiver := node.child_by_field_name("receiver")) is not None:
        return _bare_type(next((n for n in below(receiver) if n.type == "type_identifier"), None))
    if node.type == "preproc_def":
        return _text(node.child_by_field_name("name"))
    name = node.child_by_field_name("name") or node.child_by_field_name("left")
    declarator = node.child_by_field_name("declarator")
    while name is None and declarator is not None:
        inner = declarator.child_by_field_name("declarator")
        name, declarator = (declarator, None) if inner is None else (None, inner)
    return _text(name)


def _bare_type(node: tree_sitter.Node | None) -> str:
    """Returns the name of a type without its parameters."""
    if node is not None and (inner := node.child_by_field_name("type")) is not None:
        node = inner
    return _text(node)


def _text(node: tree_sitter.Node | None) -> str:
    return "" if node is None else text_of(node)


def _outline(
    syntax: Syntax, node: tree_sitter.Node, statement: tree_sitter.Node, only: tree_sitter.Node | None = None
) -> str:
    """Returns the outline of a node in the statement that it is defined by, with one member ``only`` if it is given."""
    body = body_of(node)
    if body is None or body.type == "ordered_field_declaration_list":  # as Rust's tuples have
        text = text_of(statement)
        lines = text.split("\n")
        return text if len(lines) <= _MOST_MEMBERS and len(text) <= 1000 else lines[0][:_LONGEST_LINE]
    if not _has_members(syntax, node):
        return _header(syntax, statement, body)
    shown = _members(body) if only is None else [only]
    members = [line for child in shown for line in _member(syntax, child)][:_MOST_MEMBERS]
    close = "" if body.type == "block" and _is_python(syntax) else "\n}"
    opener = "" if not close else " {"
    return "\n".join([_until(statement, body) + opener, *members]) + close


def _has_members(syntax: Syntax, node: tree_sitter.Node) -> bool:
    assert syntax.language is not None
    return node.type in syntax.language.classes or node.type == "impl_item"


def _is_python(syntax: Syntax) -> bool:
    return syntax.language is not None and syntax.language.blocks is Blocks.INDENT


def _members(body: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yields the members of a class that other files may use."""
    is_open = body.parent is None or body.parent.type != "class_specifier"
    for child in body.named_children:
        if child.type == "access_specifier":
            is_open = text_of(child).startswith("public")
        elif is_open and "comment" not in child.type and not _is_private(child):
            yield child


def _is_private(member: tree_sitter.Node) -> bool:
    """Returns whether a member's name, its modifiers or, in Rust, the lack of one make it private."""
    name = next((name_of(one) for one in _defined(member)), "")
    modifiers = " ".join(text_of(child) for child in member.children if "modifier" in child.type)
    if "private" in modifiers.split() or (name.startswith(("_", "#")) and name != "__init__"):
        return True
    holder = member.parent.parent if member.parent is not None else None
    is_closed = holder is not None and (
        holder.type == "struct_item" or (holder.type == "impl_item" and holder.child_by_field_name("trait") is None)
    )
    return is_closed and "pub" not in modifiers


def _member(syntax: Syntax, node: tree_sitter.Node) -> Iterator[str]:
    """Yields the lines of a member: the header of a method, or the first line of another, with its indentation if it
    has lines of its own."""
    inner = next((one for one in _defined(node) if body_of(one) is not None), node)
    body = body_of(inner)
    alone = _is_python(syntax) or node.parent is None or node.start_point[0] != node.parent.start_point[0]
    indent = " " * (node.start_point[1] if alone else _INDENT)
    if body is None or _has_members(syntax, inner):
        said = _documentation(node) if _is_python(syntax) else ""
        yield indent + (f'"""{said}"""' if said else text_of(node).split("\n")[0][:_LONGEST_LINE])
        return
    if _is_python(syntax) and name_of(inner) == "__init__" and (fields := list(_fields(body))):
        yield indent + " ".join(_until(node, body).split())
        yield from (" " * body.start_point[1] + field for field in fields[:_MOST_FIELDS])
        return
    decorators = [text_of(child) for child in node.named_children if child.type == "decorator"]
    yield from (indent + decorator for decorator in decorators)
    yield indent + _header(syntax, inner, body)


def _fields(body: tree_sitter.Node) -> Iterator[str]:
    """Yields the statements of a constructor that assign public attributes."""
    for statement in body.named_children:
        text = " ".join(text_of(statement).split())
        is_field = statement.type == "expression_statement" and text.startswith("self.") and text[5] != "_"
        if is_field and "=" in text:
            yield text[:_LONGEST_LINE]


def _header(syntax: Syntax, node: tree_sitter.Node, body: tree_sitter.Node) -> str:
    """Returns a definition up to its body, with the first line of a Python docstring, and dots for the rest. A body of
    a few lines is shown as it is."""
    header = _until(node, body)
    is_small = body.end_point[0] - body.start_point[0] < _SMALL_BODY and len(source_of(body)) <= _LONGEST_LINE
    if not _is_python(syntax):
        return text_of(node) if is_small and body.end_point[0] == body.start_point[0] else f"{header} {{ ... }}"
    if is_small and not _docstring(body) and body.named_child_count == 1:
        return f"{header} {text_of(body)}"
    said = _docstring(body)
    return f'{header}\n{" " * body.start_point[1]}"""{said}"""' if said else f"{header} ..."


def _docstring(body: tree_sitter.Node) -> str:
    """Returns the first line of a Python docstring, without its quotes."""
    first = next(iter(body.named_children), None)
    return _documentation(first) if first is not None else ""


def _documentation(statement: tree_sitter.Node) -> str:
    """Returns the first line of a statement that is a string, without its quotes, or ""."""
    string = next(iter(statement.named_children), None)
    if statement.type != "expression_statement" or string is None or string.type != "string":
        return ""
    return text_of(string).lstrip("rRuU").strip("\"'\n ").split("\n")[0].strip()


def _until(node: tree_sitter.Node, body: tree_sitter.Node) -> str:
    return source_of(node)[: body.start_byte - node.start_byte].decode(errors="replace").rstrip()
