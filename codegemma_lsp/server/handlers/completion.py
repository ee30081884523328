"""``textDocument/completion``: the same suggestions, for editors without ghost text (setting ``popup``)."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.completion import Query
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.report import completed
from codegemma_lsp.settings import Popup


async def on_completion(params: types.CompletionParams) -> types.CompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None or server.session.settings.popup is Popup.OFF:
        return types.CompletionList(is_incomplete=False, items=[])
    encoding = server.session.encoding
    offset = document.offset(conversions.position(params.position), encoding)
    query = Query(document, offset, server.shown_path(document.uri))
    outcome = await completed(query, types.TEXT_DOCUMENT_COMPLETION)
    return conversions.popup_items(document, outcome.suggestion, encoding)
