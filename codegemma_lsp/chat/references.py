"""What a question refers to: selections, files, symbols, and ``#file:`` and ``#symbol:`` in its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.chat.code import LONGEST_PARSED, fenced
from codegemma_lsp.chat.excerpts import Part, part_about
from codegemma_lsp.chat.types import Reference, RequestRefused
from codegemma_lsp.context import NotAllowed, Workspace, looks_secret
from codegemma_lsp.document import Document, Span, file_path
from codegemma_lsp.prompt import LONGEST_PIECE, Tokenizer
from codegemma_lsp.syntax import definition_at, language_name, named, parse

_FILE = re.compile(r"#file:(?:\"([^\"\n]+)\"|(\S*[^\s.,;:!?)]))")
_SYMBOL = re.compile(r"#symbol:([\w.$]+)")
_MOST = 16


def written_in(text: str, workspace: Workspace, documents: Iterable[Document]) -> list[Reference]:
    """Returns the files and symbols that a question names by ``#file:path`` and ``#symbol:name``. Raises
    ``RequestRefused``."""
    paths, names = _FILE.findall(text), _SYMBOL.findall(text)
    _check_count(len(paths) + len(names))
    files = [file_reference(quoted or plain, workspace) for quoted, plain in paths]
    return [*files, *(symbol_reference(name, documents) for name in names)]


def file_reference(path: str, workspace: Workspace) -> Reference:
    try:
        document, shown = workspace.find(path)
    except NotAllowed as error:
        raise RequestRefused(str(error)) from None
    return Reference(path=shown, text=document.text, language=language_name(document.language, shown))


def symbol_reference(name: str, documents: Iterable[Document]) -> Reference:
    """Returns a definition from the first open document that has it. Raises ``RequestRefused`` if none has it."""
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
    """Returns a part of a document, or all of it if nothing is selected."""
    span = span if len(span) else Span(0, len(document.text))
    text = document.text[span.start : span.end]
    return Reference(
        path=path,
        text=text,
        language=language_name(document.language, path),
        first_line=document.line_at(span.start) + 1,
    )


def around_reference(document: Document, selection: Span, path: str) -> Reference:
    """Returns the selection, or if nothing is selected the function or the class around it, or else the whole file."""
    if len(selection):
        return selection_reference(document, selection, path)
    language = language_name(document.language, path)
    found = definition_at(parse(document.text, language, most=LONGEST_PARSED), selection)
    return selection_reference(document, found.span if found is not None else selection, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """References as Markdown, and a sentence on what of them is missing, or ""."""

    text: str
    missing: str = ""


def as_text(references: Sequence[Reference], question: str, tokens: int, tokenizer: Tokenizer) -> Shown:
    """Returns references as Markdown of about ``tokens`` tokens at most, which they share. Of one that does not fit,
    what the question is about is kept. Raises ``RequestRefused`` if there are too many."""
    _check_count(len(references))
    left, blocks, missing = tokens, [], []
    for i, reference in enumerate(references):
        text = reference.text.replace("\r\n", "\n").rstrip("\n")
        part = _part(text, reference.language, question, left // (len(references) - i), tokenizer)
        left -= len(tokenizer.encode(part.text))
        lines = f", from line {reference.first_line}" if reference.first_line > 1 else ""
        note = f"\n({part.missing} lines are left out.)" if part.missing else ""
        blocks.append(f"`{reference.path}`{lines}:\n\n{fenced(part.text, reference.language)}{note}")
        if part.missing:
            missing.append(f"{part.missing} of {text.count(chr(10)) + 1} lines of {reference.path}")
    said = (
        f"The model was not shown {' and '.join(missing)}: raise chatContextTokens, or select less." if missing else ""
    )
    return Shown(text="\n\n".join(blocks), missing=said)


def _part(text: str, language: str, question: str, tokens: int, tokenizer: Tokenizer) -> Part:
    if len(text) <= LONGEST_PIECE * tokens and len(tokenizer.encode(text)) <= tokens:
        return Part(text=text, missing=0)
    return part_about(parse(text, language, most=LONGEST_PARSED), question, tokens, tokenizer)


def _check_count(count: int) -> None:
    if count > _MOST:
        raise RequestRefused(f"A question can refer to {_MOST} things at most; leave some out.")
