"""``codegemma/chat`` answers a question, and ``codegemma/forgetConversation`` deletes a conversation."""

from __future__ import annotations

import asyncio
from typing import Any

from codegemma_lsp.server.answers import answer_json, on_delta
from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import ChatParams, ForgetParams, read_params
from codegemma_lsp.server.targets import reference_from, target_from

CHAT = "codegemma/chat"
FORGET = "codegemma/forgetConversation"


@server.feature(CHAT)
@translates_errors
async def on_chat(raw: Any) -> dict[str, Any]:
    """Answers ``{conversationId? | history?, text, references?, selection?, partialResultToken?}`` with
    ``{conversationId, text, complete, edit?, note}``. Partial results are ``{text}``, to be appended."""
    asked = read_params(ChatParams, raw)
    target = target_from(asked.selection) if asked.selection is not None else None
    references = [await asyncio.to_thread(reference_from, reference) for reference in asked.references]
    store = server.session.conversations.store
    if asked.conversation_id is not None:
        conversation = store.find(asked.conversation_id)
    else:
        conversation = store.begin()
        for turn in asked.history:
            conversation.add(turn.question, turn.answer)
    first = not conversation.messages
    answer = await server.session.conversations.chat(
        conversation, asked.text, references, target, on_delta(asked.partial_result_token)
    )
    notes = (answer.note, server.session.conversations.note() if first else "")
    return {"conversationId": conversation.id, **answer_json(answer), "note": " ".join(filter(None, notes))}


@server.feature(FORGET)
@translates_errors
async def on_forget(raw: Any) -> None:
    """Deletes the conversation of ``{conversationId}``."""
    server.session.conversations.store.forget(read_params(ForgetParams, raw).conversation_id)
