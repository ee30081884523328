"""What a question is about besides its words: selections, files, symbols, and ``#file:`` in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from codegemma_lsp.chat.code import fenced
from codegemma_lsp.chat.types import Reference, RequestRefused
from codegemma_lsp.context import NotAllowed, Workspace, looks_secret
from codegemma_lsp.document import Document, Span, file_path
from codegemma_lsp.prompt import LONGEST_PIECE, Tokenizer
from codegemma_lsp.syntax import language_name, named, parse

_FILE = re.compile(r"#file:(?:\"([^\"\n]+)\"|(\S*[^\s.,;:!?)]))")
_SYMBOL = re.compile(r"#symbol:([\w.$]+)")
_MOST = 16


def written_in(text: str, workspace: Workspace, documents: Iterable[Document]) -> list[Reference]:
    """The files and symbols that a question names by ``#file:path`` and ``#symbol:name``. Raises ``RequestRefused``."""
    paths, names = _FILE.findall(text), _SYMBOL.findall(text)
    _check_count(len(paths) + len(names))
    files = [file_reference(quoted or plain, workspace) for quoted, plain in paths]
    return [*files, *(symbol_reference(name, documents) for name in names)]


def file_reference(path: str, workspace: Workspace) -> Reference:
    try:
        document, shown = workspace.find(path)
    except NotAllowed as error:
        raise RequestRefused(str(error)) from None
    return Reference(shown, document.text, language_name(document.language, shown))


def symbol_reference(name: str, documents: Iterable[Document]) -> Reference:
    """A definition in one of the open documents, the first given first."""
    short = name.rsplit(".", 1)[-1]
    for document in documents:
        shown = file_path(document.uri).name
        if looks_secret(Path(shown)):
            continue
        found = named(parse(document.text, language_name(document.language, shown)), short)
        if found is not None:
            return selection_reference(document, found, shown)
    raise RequestRefused(f"There is no definition of {name} in the open files; open the file that has it.")


def selection_reference(document: Document, span: Span, path: str) -> Reference:
    """A part of a document; all of it where nothing is selected."""
    span = span if len(span) else Span(0, len(document.text))
    text = document.text[span.start : span.end]
    return Reference(path, text, language_name(document.language, path), document.line_at(span.start) + 1)


def as_text(references: Sequence[Reference], tokens: int, tokenizer: Tokenizer) -> str:
    """References as Markdown of about ``tokens`` tokens at most, which they share; each one that does not fit is cut
    after a whole line, and says so. Raises ``RequestRefused`` where there are too many."""
    _check_count(len(references))
    left, blocks = tokens, []
    for i, reference in enumerate(references):
        text, cut = _cut(reference.text.replace("\r\n", "\n").rstrip("\n"), left // (len(references) - i), tokenizer)
        left -= len(tokenizer.encode(text))
        lines = f", from line {reference.first_line}" if reference.first_line > 1 else ""
        note = f"\n({cut} more lines are left out.)" if cut else ""
        blocks.append(f"`{reference.path}`{lines}:\n\n{fenced(text, reference.language)}{note}")
    return "\n\n".join(blocks)


def _check_count(count: int) -> None:
    if count > _MOST:
        raise RequestRefused(f"A question can refer to {_MOST} things at most; leave some out.")


def _cut(text: str, tokens: int, tokenizer: Tokenizer) -> tuple[str, int]:
    lines = text.split("\n")
    if len(text) <= LONGEST_PIECE * tokens and len(tokenizer.encode(text)) <= tokens:
        return text, 0
    used = kept = 0
    for line in lines:
        used += len(tokenizer.encode(line + "\n"))
        if used > tokens:
            break
        kept += 1
    return "\n".join(lines[:kept]), len(lines) - kept
