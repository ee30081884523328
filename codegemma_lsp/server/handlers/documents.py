"""Follows the open documents, and the cursor that rests in them."""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types

from codegemma_lsp.completion import Query
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.targets import query_at
from codegemma_lsp.session.prefetcher import opening_offset

log = logging.getLogger(__name__)

DID_REST = "codegemma/didRest"


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def on_did_open(params: types.DidOpenTextDocumentParams) -> None:
    document = conversions.opened(params.text_document)
    server.session.open(document)
    offset = opening_offset(document.text, server.session.settings)
    server.session.rest(Query(document=document, offset=offset, path=server.shown_path(document.uri)), opened=True)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def on_did_change(params: types.DidChangeTextDocumentParams) -> None:
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        log.warning("change of a document that is not open")
        return
    version = params.text_document.version
    encoding = server.session.encoding
    server.session.change(*conversions.changed(document, params.content_changes, version, encoding))


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def on_did_close(params: types.DidCloseTextDocumentParams) -> None:
    server.session.close(params.text_document.uri)


@server.feature(DID_REST)
def on_did_rest(params: Any) -> None:
    """Handles ``{textDocument: {uri}, position}`` from editors that can detect that the cursor rests."""
    where = conversions.place(params)
    query = query_at(*where) if where is not None else None
    if query is not None:
        server.session.rest(query)
