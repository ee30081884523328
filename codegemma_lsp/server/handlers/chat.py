"""``codegemma/chat`` and ``codegemma/forgetConversation``: questions, answers, and conversations that are deleted."""

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
    """``{conversationId? | history?, text, references?, selection?, partialResultToken?}`` to ``{conversationId, text,
    complete, edit?, note}``; partial results are ``{text}`` to append."""
    asked = read_params(ChatParams, raw)
    target = target_from(asked.selection) if asked.selection is not None else None
    references = [await asyncio.to_thread(reference_from, reference) for reference in asked.references]
    conversation = server.session.conversations.store.find(asked.conversation_id)
    if asked.conversation_id is None:
        for turn in asked.history:
            conversation.add(turn.question, turn.answer)
    first = not conversation.messages
    answer = await server.session.conversations.chat(
        conversation, asked.text, references, target, on_delta(asked.partial_result_token)
    )
    return {
        "conversationId": conversation.id,
        **answer_json(answer),
        "note": server.session.conversations.note() if first else "",
    }


@server.feature(FORGET)
@translates_errors
async def on_forget(raw: Any) -> None:
    """``{conversationId}``: the conversation is deleted."""
    server.session.conversations.store.forget(read_params(ForgetParams, raw).conversation_id)
