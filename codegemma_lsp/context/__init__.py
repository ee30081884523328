"""Collects the parts of the prompt that are not the text around the cursor."""

from __future__ import annotations

from codegemma_lsp.context.editor import DefinedSymbol, DefinitionPlace, editor_definitions
from codegemma_lsp.context.files import DiskFiles
from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece, Source
from codegemma_lsp.context.placeholders import Hidden, hidden
from codegemma_lsp.context.secrets import masked, masked_around
from codegemma_lsp.context.selection import LEAST_VALUE, Selection, Weighed, gather, piece_tokens, select
from codegemma_lsp.context.similar import similar_code
from codegemma_lsp.context.sources import SOURCES, pieces_in_folder
from codegemma_lsp.context.symbols import Symbol, symbols_near
from codegemma_lsp.context.wanted import name_needed_at
from codegemma_lsp.context.workspace import NotAllowed, Workspace, looks_secret, looks_secret_when_open, on_disk
from codegemma_lsp.prompt import CursorContext
from codegemma_lsp.syntax import CursorScope, Excerpt, Syntax, imports

__all__ = [
    "LEAST_VALUE",
    "SOURCES",
    "CursorInFile",
    "DefinedSymbol",
    "DefinitionPlace",
    "DiskFiles",
    "Files",
    "Hidden",
    "Kind",
    "NotAllowed",
    "Piece",
    "Selection",
    "Source",
    "Symbol",
    "Weighed",
    "Workspace",
    "cursor_context",
    "editor_definitions",
    "gather",
    "hidden",
    "looks_secret",
    "looks_secret_when_open",
    "masked",
    "name_needed_at",
    "on_disk",
    "piece_tokens",
    "pieces_in_folder",
    "select",
    "similar_code",
    "symbols_near",
]


def cursor_context(
    excerpt: Excerpt,
    offset: int,
    scope: CursorScope,
    head: Syntax,
    *,
    path: str,
    reach: int,
    repository: str = "",
) -> CursorContext:
    """Returns the cursor's context: the file's text, its imports, and the headers of the definitions around the cursor.

    ``scope`` is that of the cursor in ``excerpt``. ``head`` is the syntax of the file's head. Secrets are masked as far
    as ``reach`` code points from the cursor.
    """
    outer = ((excerpt.original(span.start), excerpt.text[span.start : span.end]) for span in scope.headers)
    return CursorContext(
        path=path,
        text=masked_around(excerpt.source, offset, reach),
        offset=offset,
        imports=tuple((span.start, masked(head.text[span.start : span.end])) for span in imports(head)),
        headers=tuple((start, masked(text)) for start, text in outer),
        repository=repository,
    )
