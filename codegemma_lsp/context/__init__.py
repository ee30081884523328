"""What goes into the prompt besides the text around the cursor."""

from __future__ import annotations

from codegemma_lsp.context.imports import ReadFile, imported_definitions
from codegemma_lsp.context.workspace import NotAllowed, Workspace, looks_secret, on_disk
from codegemma_lsp.prompt import CursorContext, OtherFile
from codegemma_lsp.syntax import CursorScope, Excerpt, Syntax, imports

__all__ = ["NotAllowed", "ReadFile", "Workspace", "cursor_context", "imported_definitions", "looks_secret", "on_disk"]


def cursor_context(
    excerpt: Excerpt,
    offset: int,
    scope: CursorScope,
    head: Syntax,
    path: str,
    other_files: tuple[OtherFile, ...] = (),
    repository: str = "",
) -> CursorContext:
    """The cursor's context: the file's text, its imports, and the headers of the definitions around the cursor.

    ``scope`` is that of the cursor in ``excerpt``; ``head`` is the syntax of the file's head.
    """
    return CursorContext(
        path,
        excerpt.source,
        offset,
        tuple((span.start, head.text[span.start : span.end]) for span in imports(head)),
        tuple((excerpt.original(span.start), excerpt.text[span.start : span.end]) for span in scope.headers),
        other_files,
        repository,
    )
