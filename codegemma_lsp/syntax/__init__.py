"""Syntax at the cursor. This is the only package that imports tree_sitter. Offsets that go in and come out are code
points."""

from codegemma_lsp.syntax.brackets import Scan, scan
from codegemma_lsp.syntax.completion_end import Extent, completion_end, extent_at
from codegemma_lsp.syntax.cuts import Cut, cuts, whole_statements
from codegemma_lsp.syntax.declarations import definition, definitions, outline_at
from codegemma_lsp.syntax.excerpt import Excerpt, excerpt
from codegemma_lsp.syntax.file_head import head_end
from codegemma_lsp.syntax.identifiers import identifiers
from codegemma_lsp.syntax.languages import (
    DEFAULT_QUOTES,
    LANGUAGES,
    DocumentationStyle,
    Language,
    TestConvention,
    TestLocation,
    find_language,
    language_name,
    suffixes,
)
from codegemma_lsp.syntax.modules import Imported, ImportedName, imported
from codegemma_lsp.syntax.named_parts import NamedPart, named_parts
from codegemma_lsp.syntax.outline import head_of, imports
from codegemma_lsp.syntax.regions import (
    Definition,
    Statement,
    definition_at,
    named,
    region_at,
    statements,
)
from codegemma_lsp.syntax.scope import CursorKind, CursorScope, cursor_scope
from codegemma_lsp.syntax.sections import Section, sections
from codegemma_lsp.syntax.tree import MAX_CHARS, Syntax, parse, reparse

__all__ = [
    "DEFAULT_QUOTES",
    "LANGUAGES",
    "MAX_CHARS",
    "CursorKind",
    "CursorScope",
    "Cut",
    "Definition",
    "DocumentationStyle",
    "Excerpt",
    "Extent",
    "Imported",
    "ImportedName",
    "Language",
    "NamedPart",
    "Scan",
    "Section",
    "Statement",
    "Syntax",
    "TestConvention",
    "TestLocation",
    "completion_end",
    "cursor_scope",
    "cuts",
    "definition",
    "definition_at",
    "definitions",
    "excerpt",
    "extent_at",
    "find_language",
    "head_end",
    "head_of",
    "identifiers",
    "imported",
    "imports",
    "language_name",
    "named",
    "named_parts",
    "outline_at",
    "parse",
    "region_at",
    "reparse",
    "scan",
    "sections",
    "statements",
    "suffixes",
    "whole_statements",
]
