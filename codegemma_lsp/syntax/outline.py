"""What a file declares at its top level."""

from __future__ import annotations

import tree_sitter

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.tree import Syntax

_MOST_NODES = 400
"""Top-level nodes looked at: imports stand at a file's head."""


def imports(syntax: Syntax, before: int) -> tuple[Span, ...]:
    """Spans of the file's import statements that end at or before an offset, in order."""
    if syntax.tree is None or syntax.language is None:
        return ()
    limit = syntax.byte(before)
    found = []
    node: tree_sitter.Node | None = syntax.tree.root_node.child(0)
    for _ in range(_MOST_NODES):
        if node is None or node.end_byte > limit:
            break
        if node.type in syntax.language.imports:
            found.append(Span(syntax.char(node.start_byte), syntax.char(node.end_byte)))
        node = node.next_sibling
    return tuple(found)
