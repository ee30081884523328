"""The names in a text."""

from __future__ import annotations

from codegemma_lsp.document import Span
from codegemma_lsp.syntax.tree import Syntax

_OTHER_NAMES = frozenset({"name", "constant"})
"""The types of nodes that are names, of PHP and of Ruby; in the other languages the type ends in ``identifier``."""


def identifiers(syntax: Syntax) -> tuple[Span, ...]:
    """Returns the spans of the names in a text, in order: none of keywords, strings or comments."""
    return tuple(
        Span(syntax.char(leaf.start), syntax.char(leaf.end))
        for leaf in syntax.leaves(0, len(syntax.source))
        if leaf.node.is_named and (leaf.type.endswith("identifier") or leaf.type in _OTHER_NAMES)
    )
