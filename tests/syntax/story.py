"""A document with a cursor in some language: the form of the tests in this folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from codegemma_lsp.document import Span
from codegemma_lsp.syntax import completion_end, cursor_scope, extent_at, parse
from tests.marks import at_cursor, marked_spans, replaced


@dataclass(frozen=True)
class Story:
    """A document with its cursor."""

    marked: str
    language: str

    def scope(self) -> str:
        """What stands at the cursor, and the document with the headers of the enclosing definitions in
        ``⟦…⟧``."""
        text, offset = at_cursor(self.marked)
        scope = cursor_scope(parse(text, self.language), offset)
        place = scope.kind.name.lower() + (" in a block just opened" if scope.opened else "")
        assert all(span.end <= offset for span in scope.headers)
        return f"{place}:\n{marked_spans(self.marked, scope.headers)}"

    def end_of(self, generated: str) -> str:
        """How much the cursor's position asks for, whether it is complete, and the document with what is kept of
        ``generated`` in ``⟦…⟧``; what is dropped stands behind it, what follows the cursor is left out."""
        text, offset = at_cursor(self.marked)
        syntax = parse(text, self.language)
        scope = cursor_scope(syntax, offset)
        rest = text[offset:].split("\n", 1)[0]
        extent = extent_at(scope, text_follows=bool(rest.strip(")]}\"'; ")))
        grown = text[:offset] + generated
        end = completion_end(parse(grown, self.language), offset, scope, extent, syntax)
        kept = Span(offset, len(grown) if end is None else end)
        state = "unfinished" if end is None else "complete"
        return f"{extent.name.lower()}, {state}:\n{replaced(grown, kept, grown[kept.start : kept.end])}"


cpp, csharp, go, html, java, javascript, kotlin, lua, python, ruby, rust, shellscript, typescript, typescriptreact = (
    partial(Story, language=name)
    for name in (
        *("cpp", "csharp", "go", "html", "java", "javascript", "kotlin", "lua", "python", "ruby", "rust"),
        *("shellscript", "typescript", "typescriptreact"),
    )
)
css, php, plaintext, yaml = (partial(Story, language=name) for name in ("css", "php", "plaintext", "yaml"))
