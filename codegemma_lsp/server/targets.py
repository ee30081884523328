"""Looks up what requests are about, which is documents, selections and references, before any ``await``."""

from __future__ import annotations

from codegemma_lsp.chat import (
    EDITS,
    Action,
    Reference,
    RequestRefused,
    Target,
    file_reference,
    selection_reference,
    symbol_reference,
)
from codegemma_lsp.completion import Query
from codegemma_lsp.context import looks_secret_when_open
from codegemma_lsp.document import Document, Position, Span, file_path
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.params import EditParams, MalformedParams, RangeParams, ReferenceParams, SelectionParams


def edit_action(name: str) -> Action:
    if name not in set(EDITS):
        raise MalformedParams(f"There is no action {name!r}; there are {', '.join(sorted(EDITS))}.")
    return Action(name)


def query_at(uri: str, position: Position) -> Query | None:
    """Returns what to complete at a position in the client's encoding, or None if the document is not open."""
    document = server.session.documents.get(uri)
    if document is None:
        return None
    return Query(
        document=document, offset=document.offset(position, server.session.encoding), path=server.shown_path(uri)
    )


def open_document(uri: str, version: int | None) -> Document:
    document = server.session.documents.get(uri)
    if document is None:
        raise RequestRefused(f"{file_path(uri).name} is not open; open it in the editor first.")
    if looks_secret_when_open(file_path(uri)):
        raise RequestRefused(f"{file_path(uri).name} looks like a secret, so it is not given to a model.")
    if version is not None and version != document.version:
        raise RequestRefused("The document has changed since this was asked; ask again.", stale=True)
    return document


def span_in(document: Document, range_: RangeParams | None) -> Span:
    if range_ is None:
        return Span(0, len(document.text))
    return conversions.span(document, range_, server.session.encoding)


def target_from(selection: SelectionParams, instruction: str = "", diagnostics: tuple[str, ...] = ()) -> Target:
    document = open_document(selection.uri, selection.version)
    documents = server.session.documents
    return Target(
        document=document,
        selection=span_in(document, selection.range),
        path=server.shown_path(document.uri),
        instruction=instruction,
        diagnostics=diagnostics,
        still=lambda: documents.get(document.uri) is document,
    )


def edit_target(asked: EditParams) -> Target:
    selection = SelectionParams(uri=asked.uri, range=asked.range, version=asked.version)
    return target_from(selection, asked.instruction, asked.diagnostics)


def reference_from(reference: ReferenceParams) -> Reference:
    workspace = server.session.conversations.workspace()
    if reference.path is not None:
        return file_reference(reference.path, workspace)
    if reference.symbol is not None:
        return symbol_reference(reference.symbol, server.session.documents.values())
    if reference.uri is None:
        raise MalformedParams("A reference needs a uri, a path or a symbol.")
    if reference.range is None and reference.uri not in server.session.documents:
        return file_reference(str(file_path(reference.uri)), workspace)
    document = open_document(reference.uri, None)
    return selection_reference(document, span_in(document, reference.range), server.shown_path(document.uri))
