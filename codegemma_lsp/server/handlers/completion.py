"""``textDocument/completion`` returns the same suggestions for editors without ghost text (setting ``popup``)."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.report import completed
from codegemma_lsp.server.targets import query_at
from codegemma_lsp.settings import Popup


async def on_completion(params: types.CompletionParams) -> types.CompletionList:
    query = query_at(params.text_document.uri, conversions.position(params.position))
    if query is None or server.session.settings.popup is Popup.OFF:
        return types.CompletionList(is_incomplete=False, items=[])
    encoding = server.session.encoding
    outcome = await completed(query, types.TEXT_DOCUMENT_COMPLETION)
    return conversions.popup_items(query.document, outcome.suggestion, encoding)
