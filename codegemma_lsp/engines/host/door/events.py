"""The answers of OpenAI's interface, whole and in pieces."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from codegemma_lsp.engines.host.door.lending import Served
from codegemma_lsp.engines.host.door.running import Added
from codegemma_lsp.engines.protocol import Finish, Usage

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How one answer is written down."""

    model: str
    is_chat: bool
    has_logprobs: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def piece(self, added: Added | None, finish: Finish | None = None, *, is_first: bool = False) -> bytes:
        """Returns an event of a stream."""
        text = added.text if added is not None else ""
        choice: dict[str, Any] = {"index": 0, "finish_reason": _reason(finish)}
        if self.is_chat:
            delta = {"role": "assistant"} if is_first else {}
            choice["delta"] = {**delta, "content": text} if added is not None or is_first else {}
        else:
            choice["text"] = text
            choice["logprobs"] = self._logprobs(added.tokens if added is not None else ())
        return self._event([choice])

    def usage_event(self, usage: Usage) -> bytes:
        """Returns the event with the token counts, which has no choice."""
        return self._event([], usage=usage_of(usage))

    def whole(self, all_: Added, finish: Finish, usage: Usage) -> dict[str, Any]:
        """Returns an answer that is no stream."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": _reason(finish)}
        if self.is_chat:
            choice["message"] = {"role": "assistant", "content": all_.text}
        else:
            choice["text"], choice["logprobs"] = all_.text, self._logprobs(all_.tokens)
        return {**self._head(is_chunk=False), "choices": [choice], "usage": usage_of(usage)}

    def _event(self, choices: list[Any], **more: Any) -> bytes:
        return event({**self._head(is_chunk=True), "choices": choices, **more})

    def _head(self, *, is_chunk: bool) -> dict[str, Any]:
        kind = ("chat.completion.chunk" if is_chunk else "chat.completion") if self.is_chat else "text_completion"
        name = f"{'chatcmpl' if self.is_chat else 'cmpl'}-{self.id}"
        return {"id": name, "object": kind, "created": self.created, "model": self.model}

    def _logprobs(self, tokens: tuple[tuple[str, float], ...]) -> dict[str, Any] | None:
        if not self.has_logprobs:
            return None
        return {"tokens": [text for text, _ in tokens], "token_logprobs": [logprob for _, logprob in tokens]}


def model(served: Served) -> dict[str, Any]:
    """Returns an entry of the list of models. ``max_model_len`` is vLLM's, and ``chat_max_model_len`` is the door's
    own."""
    return {
        "id": served.name,
        "object": "model",
        "owned_by": "codegemma-lsp",
        "max_model_len": served.context_tokens,
        "chat_max_model_len": served.chat_context_tokens,
    }


def event(value: dict[str, Any]) -> bytes:
    """Returns a server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n\n"


def usage_of(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def error_of(message: str, kind: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


def _reason(finish: Finish | None) -> str | None:
    return None if finish is None else "length" if finish is Finish.LENGTH else "stop"
