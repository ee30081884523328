"""The parts of a file that can be read by themselves: definitions with their comments, and what stands between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter

from codegemma_lsp.syntax.declarations import name_of
from codegemma_lsp.syntax.languages import Language
from codegemma_lsp.syntax.tree import Syntax

_LONG = 30
"""The number of lines from which a class is taken apart into its members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines ``first`` to ``last``, counted from 0 and both inside. ``name`` is what they define, and ``head`` the line
    with it; of lines that define nothing, these are "" and ``first``."""

    first: int
    last: int
    name: str = ""
    head: int = 0


def sections(syntax: Syntax) -> tuple[Section, ...]:
    """Returns the sections of a text, in order and without a gap: definitions with the comments above them, members of
    long classes, and single statements. Without a grammar, these are paragraphs."""
    lines = syntax.text.split("\n")
    if syntax.tree is None or syntax.language is None:
        starts = [
            (at, at, "") for at, line in enumerate(lines) if line.strip() and (not at or not lines[at - 1].strip())
        ]
    else:
        starts = list(_starts(syntax.tree.root_node, syntax.language))
    starts = [(0, 0, ""), *starts] if not starts or starts[0][0] else starts
    ends = [first - 1 for first, _, _ in starts[1:]] + [len(lines) - 1]
    return tuple(
        Section(first=first, last=last, name=name, head=head)
        for (first, head, name), last in zip(starts, ends, strict=True)
        if last >= first
    )


def _starts(node: tree_sitter.Node, language: Language) -> Iterator[tuple[int, int, str]]:
    """Yields the first line of each section below a node, the line of its head, and what it defines."""
    for child in node.named_children:
        found = next((one for one in (child, *child.named_children) if one.type in language.definitions), None)
        if found is None:
            inner = list(_starts(child, language)) if child.end_point[0] - child.start_point[0] > _LONG else []
            if any(name for _, _, name in inner):
                yield from inner
            elif child.type not in language.comments:
                yield _with_comments(child, language), child.start_point[0], ""
            continue
        yield _with_comments(child, language), found.start_point[0], name_of(found)
        if found.end_point[0] - found.start_point[0] > _LONG and found.type in language.classes:
            for part in found.named_children:
                yield from (one for one in _starts(part, language) if one[2])


def _with_comments(node: tree_sitter.Node, language: Language) -> int:
    """Returns the first line of a node with the comments right above it."""
    first, before = node.start_point[0], node.prev_named_sibling
    while before is not None and before.type in language.comments and before.end_point[0] in (first - 1, first):
        if before.start_point[0] == (before.prev_sibling.end_point[0] if before.prev_sibling is not None else -1):
            break  # behind other code on its line
        first, before = before.start_point[0], before.prev_named_sibling
    return first
