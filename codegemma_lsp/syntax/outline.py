"""The declarations at the head of a file."""

from __future__ import annotations

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.tree import Syntax
from codegemma_lsp.text import line_start

_MOST_NODES = 400
"""The number of top-level nodes that are read. Imports stand at a file's head."""


HEAD_CHARS = 6_000
"""The number of code points of a file in which imports are searched."""


def head_of(text: str) -> str:
    """Returns the lines at a file's head in which imports are searched."""
    return text[: line_start(text, HEAD_CHARS)] if len(text) > HEAD_CHARS else text


def imports(syntax: Syntax) -> tuple[Span, ...]:
    """Returns the spans of the import statements at the top level of a text, in order."""
    if syntax.tree is None or syntax.language is None:
        return ()
    found = []
    root = syntax.tree.root_node
    node: tree_sitter.Node | None = root.child(0) if root.child_count else None
    for _ in range(_MOST_NODES):
        if node is None:
            break
        if node.type in syntax.language.imports:
            found.append(Span(syntax.char(node.start_byte), syntax.char(node.end_byte)))
        node = node.next_sibling
    return tuple(found)
