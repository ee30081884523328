"""Generates one answer of the chat model, and reports its text while it is generated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

from codegemma_lsp.chat.types import ChatContext, RequestRefused
from codegemma_lsp.context import Hidden, hidden
from codegemma_lsp.engines.protocol import Generation, OnText, Priority, Request, Sampling
from codegemma_lsp.prompt import ChatImpossible, Message, Prompt, Role, build_chat

_DRAFTS = 4
"""The factor by which more tokens are guessed at once than in a completion, because answers about code copy long parts
of it."""


class Reveal(Enum):
    """What an answer has where the model wrote a placeholder: the secret; the secret, and no placeholder that the model
    made up; or dots."""

    ALL = auto()
    EXACTLY = auto()
    NONE = auto()


def token_limits(chat: ChatContext, max_tokens: int = 0) -> tuple[int, int]:
    """Returns how many tokens a question and its answer may have. ``max_tokens`` lowers the setting's limit of the
    answer."""
    settings = chat.settings
    context_tokens = min(settings.chat_context_tokens, chat.engine.context_tokens)
    answer = min(settings.chat_max_tokens, max_tokens or settings.chat_max_tokens, context_tokens // 2)
    return context_tokens - answer, answer


async def generated(
    chat: ChatContext,
    messages: Sequence[Message],
    *,
    begun: str = "",
    until: Callable[[str], bool] = lambda _: False,
    shown: Callable[[str], str] = lambda text: text,
    max_tokens: int = 0,
    reveal: Reveal = Reveal.ALL,
) -> Generation:
    """Returns the answer to the last of ``messages``, which begins with ``begun``.

    The model sees placeholders in place of secrets, which ``reveal`` puts back into the answer. Its log-probabilities
    are left out.

    ``shown`` returns what may be shown of an answer so far, which must only grow. ``until`` ends the answer if it
    returns True; it is called in the engine's thread. ``max_tokens`` lowers the setting's limit.

    Raises ``RequestRefused`` if the question does not fit, and for a placeholder that is none with
    ``Reveal.EXACTLY``, and what ``Engine.generate`` raises.
    """
    loop = asyncio.get_running_loop()
    said, over = 0, False

    def tell(text: str) -> None:
        nonlocal said
        if not over and len(more := shown(text)) > said:
            chat.on_delta(more[said:])
            said = len(more)

    def on_text(text: str) -> bool:
        so_far = secrets.revealed_so_far(text)
        loop.call_soon_threadsafe(tell, so_far)
        return over or until(so_far)

    question_tokens, answer_tokens = token_limits(chat, max_tokens)
    prompt, secrets = await asyncio.to_thread(_prompt, chat, messages, question_tokens, begun)
    secrets = secrets.redacted() if reveal is Reveal.NONE else secrets
    try:
        generation = await chat.engine.generate(_request(chat, prompt, answer_tokens, on_text))
        text = secrets.revealed(generation.text)
        tell(text)
        if reveal is Reveal.EXACTLY and secrets.has_unknown(generation.text):
            raise RequestRefused("The model wrote a placeholder that stands for no secret; ask again.")
    finally:
        over = True  # a scheduled call of ``tell`` would come after the answer
    return replace(generation, text=text, logprobs=(), ends=())


def _request(chat: ChatContext, prompt: Prompt, tokens: int, on_text: OnText) -> Request:
    settings = chat.settings
    return Request(
        prompt=prompt,
        max_tokens=tokens,
        sampling=Sampling(temperature=settings.chat_temperature, seed=settings.seed),
        priority=Priority.CHAT,
        on_text=on_text,
        drafts=_DRAFTS * settings.drafts,
    )


def _prompt(chat: ChatContext, messages: Sequence[Message], tokens: int, begun: str) -> tuple[Prompt, Hidden]:
    """Returns the prompt and what is hidden from the model in it. Raises ``RequestRefused``."""
    without_secrets = hidden([*(message.text for message in messages), begun])
    *texts, begun = without_secrets.texts
    shown = [replace(message, text=text) for message, text in zip(messages, texts, strict=True)]
    engine = chat.engine
    try:
        prompt = build_chat(shown, engine.chat_template, engine.tokenizer, tokens, begun)
    except ChatImpossible as error:
        raise RequestRefused(str(error)) from None
    return prompt, without_secrets


async def plain_answer(chat: ChatContext, question: str) -> str:
    """Returns the model's own answer to a question, with which evaluations compare. Raises what ``generated``
    raises."""
    return (await generated(chat, [Message(Role.USER, question)])).text
