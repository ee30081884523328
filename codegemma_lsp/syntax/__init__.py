"""Syntax at the cursor. The only room that imports tree_sitter; offsets in and out are code points."""

from codegemma_lsp.syntax.brackets import Scan, scan
from codegemma_lsp.syntax.completion_end import Extent, completion_end, extent_at
from codegemma_lsp.syntax.cuts import Cut, cuts
from codegemma_lsp.syntax.excerpt import Excerpt, excerpt
from codegemma_lsp.syntax.languages import DEFAULT_QUOTES, LANGUAGES, find_language, language_name
from codegemma_lsp.syntax.modules import Imported, definition, imported
from codegemma_lsp.syntax.outline import head_of, imports
from codegemma_lsp.syntax.regions import Definition, definition_at, named, region_at
from codegemma_lsp.syntax.scope import CursorKind, CursorScope, cursor_scope
from codegemma_lsp.syntax.tree import MAX_CHARS, Syntax, parse, reparse

__all__ = [
    "DEFAULT_QUOTES",
    "LANGUAGES",
    "MAX_CHARS",
    "CursorKind",
    "CursorScope",
    "Cut",
    "Definition",
    "Excerpt",
    "Extent",
    "Imported",
    "Scan",
    "Syntax",
    "completion_end",
    "cursor_scope",
    "cuts",
    "definition",
    "definition_at",
    "excerpt",
    "extent_at",
    "find_language",
    "head_of",
    "imported",
    "imports",
    "language_name",
    "named",
    "parse",
    "region_at",
    "reparse",
    "scan",
]
