"""Completions, and what becomes of them."""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types

from codegemma_lsp import convert
from codegemma_lsp.completion import Outcome, Query
from codegemma_lsp.engines.base import Usage
from codegemma_lsp.server.app import server
from codegemma_lsp.settings import Popup

log = logging.getLogger(__name__)

COMPLETED = "codegemma/completed"
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def on_inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        return types.InlineCompletionList(items=[])
    encoding = server.session.encoding
    query = Query(
        document,
        document.offset(convert.position(params.position), encoding),
        server.shown_path(document.uri),
        params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked,
        convert.selected(document, params.context, encoding),
    )
    outcome = await answer(query)
    return convert.inline_items(document, (outcome.suggestion, *outcome.others), encoding)


async def on_completion(params: types.CompletionParams) -> types.CompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None or server.session.settings.popup is Popup.OFF:
        return types.CompletionList(is_incomplete=False, items=[])
    encoding = server.session.encoding
    offset = document.offset(convert.position(params.position), encoding)
    query = Query(document, offset, server.shown_path(document.uri))
    return convert.popup_items(document, (await answer(query, types.TEXT_DOCUMENT_COMPLETION)).suggestion, encoding)


async def answer(query: Query, method: str = types.TEXT_DOCUMENT_INLINE_COMPLETION) -> Outcome:
    outcome = await server.session.complete(query, method)
    if server.session.settings.report_completions:
        server.protocol.notify(COMPLETED, report(query, outcome))
    return outcome


def report(query: Query, outcome: Outcome) -> dict[str, Any]:
    """Counts and times of one completion, for benchmarks; no source text. ``total`` is of all that the engine did."""
    usage, engine = outcome.usage, server.session.keeper.engine
    total = engine.usage if engine is not None else Usage()
    return {
        "uri": query.document.uri,
        "version": query.document.version,
        "origin": outcome.origin.value,
        "reason": outcome.reason,
        "meanLogprob": outcome.mean_logprob,
        "tokens": {
            "prompt": usage.prompt,
            "reused": usage.reused,
            "read": usage.read,
            "generated": usage.generated,
            "drafted": usage.drafted,
            "accepted": usage.accepted,
        },
        "total": {"read": total.read, "generated": total.generated},
        "ms": {name: round(value, 3) for name, value in outcome.ms.items()},
    }


@server.command(convert.ACCEPT_COMMAND)
def on_accept(suggestion: Any) -> None:
    server.session.accepted += 1
    log.info("accepted %s", suggestion)


@server.feature(DID_SHOW)
def on_did_show(params: Any) -> None:
    server.session.shown += 1


@server.feature(DID_PARTIALLY_ACCEPT)
def on_did_partially_accept(params: Any) -> None:
    server.session.partially_accepted += 1
