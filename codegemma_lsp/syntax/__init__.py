"""Syntax at the cursor. The only room that imports tree_sitter; offsets in and out are code points."""

from codegemma_lsp.syntax.brackets import Scan, scan
from codegemma_lsp.syntax.complete import Extent, extent_at, is_complete
from codegemma_lsp.syntax.cuts import Cut, cuts
from codegemma_lsp.syntax.excerpt import Excerpt, excerpt
from codegemma_lsp.syntax.languages import LANGUAGES, find_language, language_name
from codegemma_lsp.syntax.lines import indentation
from codegemma_lsp.syntax.modules import Imported, definition, imported
from codegemma_lsp.syntax.outline import head_of, imports
from codegemma_lsp.syntax.regions import Definition, definition_at, named, region_at
from codegemma_lsp.syntax.scope import Place, Scope, scope_at
from codegemma_lsp.syntax.tree import MAX_CHARS, Syntax, parse, reparse

__all__ = [
    "LANGUAGES",
    "MAX_CHARS",
    "Cut",
    "Definition",
    "Excerpt",
    "Extent",
    "Imported",
    "Place",
    "Scan",
    "Scope",
    "Syntax",
    "cuts",
    "definition",
    "definition_at",
    "excerpt",
    "extent_at",
    "find_language",
    "head_of",
    "imported",
    "imports",
    "indentation",
    "is_complete",
    "language_name",
    "named",
    "parse",
    "region_at",
    "reparse",
    "scan",
    "scope_at",
]
