"""``textDocument/inlineCompletion``: ghost text."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.completion import Query
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.report import completed


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def on_inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        return types.InlineCompletionList(items=[])
    encoding = server.session.encoding
    query = Query(
        document,
        document.offset(conversions.position(params.position), encoding),
        server.shown_path(document.uri),
        params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked,
        conversions.selected(document, params.context, encoding),
    )
    outcome = await completed(query, types.TEXT_DOCUMENT_INLINE_COMPLETION)
    return conversions.inline_items(document, (outcome.suggestion, *outcome.others), encoding)
