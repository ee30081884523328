"""``textDocument/inlineCompletion`` returns ghost text."""

from __future__ import annotations

from dataclasses import replace

from lsprotocol import types

from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.report import completed
from codegemma_lsp.server.targets import query_at


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def on_inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    query = query_at(params.text_document.uri, conversions.position(params.position))
    if query is None:
        return types.InlineCompletionList(items=[])
    encoding = server.session.encoding
    query = replace(
        query,
        explicit=params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked,
        selected=conversions.selected(query.document, params.context, encoding),
    )
    outcome = await completed(query, types.TEXT_DOCUMENT_INLINE_COMPLETION)
    return conversions.inline_items(query.document, (outcome.suggestion, *outcome.others), encoding)
