"""Syntax at the cursor. The only room that imports tree_sitter; offsets in and out are code points."""

from codegemma_lsp.syntax.complete import Extent, extent_at, is_complete
from codegemma_lsp.syntax.languages import LANGUAGES, find_language
from codegemma_lsp.syntax.outline import imports
from codegemma_lsp.syntax.scope import Place, Scope, scope_at
from codegemma_lsp.syntax.tree import MAX_BYTES, Syntax, parse, reparse

__all__ = [
    "LANGUAGES",
    "MAX_BYTES",
    "Extent",
    "Place",
    "Scope",
    "Syntax",
    "extent_at",
    "find_language",
    "imports",
    "is_complete",
    "parse",
    "reparse",
    "scope_at",
]
