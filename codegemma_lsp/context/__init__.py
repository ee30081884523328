"""What goes into the prompt besides the text around the cursor."""

from __future__ import annotations

from codegemma_lsp.prompt import Site
from codegemma_lsp.syntax import Syntax, imports, scope_at


def site_at(syntax: Syntax, offset: int, path: str) -> Site:
    """The cursor's site: its text, the file's imports, and the headers of the definitions around it."""
    scope = scope_at(syntax, offset)
    spans_of_imports = imports(syntax, offset)
    return Site(
        path,
        syntax.text,
        offset,
        tuple((span.start, syntax.text[span.start : span.end]) for span in spans_of_imports),
        tuple((span.start, syntax.text[span.start : span.end]) for span in scope.headers),
    )
