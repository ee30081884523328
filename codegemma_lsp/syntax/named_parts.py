"""The functions and classes of a text as parts that can take each other's place: with their names, what they belong to,
and what is around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.regions import WRAPPERS, comments_above, definition_name, is_text_alone, nodes_span
from codegemma_lsp.syntax.scope import body_of
from codegemma_lsp.syntax.tree import Syntax

_SELF = re.compile(r"\(\s*(?:self|cls)\b")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_DECLARATIONS = frozenset({"lexical_declaration", "variable_declaration"})
_NOT_MEMBERS = frozenset({"comment", "line_comment", "block_comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPart:
    """A function or a class.

    ``kind`` is the grammar's type of it. ``owner`` is the class, the receiver or the like that it belongs to, or "".
    ``takes_self`` means that it is a Python method by its first parameter. ``layers`` are the types and the spans of
    the part itself and of what wraps it, such as ``export`` and decorators, the innermost first. ``statement`` is the
    statement at the top level that it is in, and ``above`` are the comments directly above it. ``members`` are the
    names with which the statements of its body begin, if it is a class.
    """

    name: str
    kind: str
    owner: str
    takes_self: bool
    layers: tuple[tuple[str, Span], ...]
    statement: Span
    above: Span | None
    members: frozenset[str]

    @property
    def span(self) -> Span:
        """The part with all that wraps it."""
        return self.layers[-1][1]


def named_parts(syntax: Syntax) -> tuple[NamedPart, ...]:
    """Returns the functions and classes of a text, in order, without those within functions. It is empty if there is no
    grammar."""
    if syntax.tree is None or syntax.language is None:
        return ()
    return tuple(part for child in syntax.tree.root_node.named_children for part in _parts(syntax, child, child, ""))


def _parts(syntax: Syntax, node: tree_sitter.Node, top: tree_sitter.Node, owner: str) -> Iterator[NamedPart]:
    language = syntax.language
    assert language is not None
    if node.type not in language.definitions or not node.is_named:
        for child in node.named_children:
            yield from _parts(syntax, child, top, owner)
        return
    part = _part(syntax, node, top, owner)
    yield part
    if node.type in language.classes:
        inner = f"{owner}.{part.name}".strip(".")
        for child in node.named_children:
            yield from _parts(syntax, child, top, inner)


def _part(syntax: Syntax, node: tree_sitter.Node, top: tree_sitter.Node, owner: str) -> NamedPart:
    assert syntax.language is not None
    layers = [node]
    while (outer := layers[-1].parent) is not None and outer.type in WRAPPERS and _wraps_one(outer):
        layers.append(outer)
    above = comments_above(syntax, layers[-1])
    is_class = node.type in syntax.language.classes
    head = _text(node).split("\n", 1)[0]
    return NamedPart(
        name=_name(node, layers[-1]),
        kind=node.type,
        owner=_receiver(node) or owner,
        takes_self=_SELF.search(head) is not None,
        layers=tuple((layer.type, nodes_span(syntax, layer, layer)) for layer in layers),
        statement=nodes_span(syntax, top, top),
        above=nodes_span(syntax, *above) if above is not None else None,
        members=frozenset(_members(node)) if is_class else frozenset(),
    )


def _wraps_one(node: tree_sitter.Node) -> bool:
    """Returns whether a declaration declares one thing only."""
    return node.type not in _DECLARATIONS or sum(one.type == "variable_declarator" for one in node.named_children) == 1


def _name(node: tree_sitter.Node, outer: tree_sitter.Node) -> str:
    """Returns the name of a definition, which for an ``impl`` of Rust is all of its head."""
    if node.type == "impl_item":
        body = node.child_by_field_name("body")
        end = body.start_byte - node.start_byte if body is not None else None
        return " ".join((node.text or b"")[:end].decode(errors="replace").split())
    if node.type == "type_declaration":
        names = [one.child_by_field_name("name") for one in node.named_children if one.type.startswith("type_")]
        return _text(names[0]) if len(names) == 1 and names[0] is not None else ""
    return definition_name(node, outer)


def _receiver(node: tree_sitter.Node) -> str:
    """Returns the type that a method of Go belongs to."""
    receiver = node.child_by_field_name("receiver")
    names = _IDENTIFIER.findall(_text(receiver)) if receiver is not None else []
    return names[-1] if names else ""


def _members(node: tree_sitter.Node) -> Iterator[str]:
    body = body_of(node)
    for child in body.named_children if body is not None else []:
        names = _IDENTIFIER.findall(_text(child).split("\n", 1)[0])
        if child.type in _NOT_MEMBERS or not names or is_text_alone(child):
            continue
        fields = (child.child_by_field_name(field) for field in ("name", "declarator", "definition"))
        named = next((one for one in fields if one is not None), None)
        inner = named.child_by_field_name("name") if named is not None and named.named_children else named
        yield _text(inner) if inner is not None else names[0]


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode(errors="replace")
