"""Syntax at the cursor. The only room that imports tree_sitter; offsets in and out are code points."""

from codegemma_lsp.syntax.brackets import Scan, scan
from codegemma_lsp.syntax.complete import Extent, extent_at, is_complete
from codegemma_lsp.syntax.excerpt import Excerpt, excerpt
from codegemma_lsp.syntax.languages import LANGUAGES, find_language
from codegemma_lsp.syntax.lines import indentation
from codegemma_lsp.syntax.outline import head_of, imports
from codegemma_lsp.syntax.scope import Place, Scope, scope_at
from codegemma_lsp.syntax.tree import MAX_CHARS, Syntax, parse, reparse

__all__ = [
    "LANGUAGES",
    "MAX_CHARS",
    "Excerpt",
    "Extent",
    "Place",
    "Scan",
    "Scope",
    "Syntax",
    "excerpt",
    "extent_at",
    "find_language",
    "head_of",
    "imports",
    "indentation",
    "is_complete",
    "parse",
    "reparse",
    "scan",
    "scope_at",
]
