"""What goes into the prompt besides the text around the cursor."""

from __future__ import annotations

from codegemma_lsp.context.imported import ReadFile, imported_definitions
from codegemma_lsp.context.workspace import NotAllowed, Workspace, looks_secret, on_disk
from codegemma_lsp.prompt import OtherFile, Site
from codegemma_lsp.syntax import Excerpt, Scope, Syntax, imports

__all__ = ["NotAllowed", "ReadFile", "Workspace", "imported_definitions", "looks_secret", "on_disk", "site_at"]


def site_at(
    excerpt: Excerpt,
    offset: int,
    scope: Scope,
    head: Syntax,
    path: str,
    other_files: tuple[OtherFile, ...] = (),
    repository: str = "",
) -> Site:
    """The cursor's site: the file's text, its imports, and the headers of the definitions around the cursor.

    ``scope`` is that of the cursor in ``excerpt``; ``head`` is the syntax of the file's head.
    """
    return Site(
        path,
        excerpt.source,
        offset,
        tuple((span.start, head.text[span.start : span.end]) for span in imports(head)),
        tuple((excerpt.original(span.start), excerpt.text[span.start : span.end]) for span in scope.headers),
        other_files,
        repository,
    )
