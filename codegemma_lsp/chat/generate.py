"""One answer of the chat model, told while it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from codegemma_lsp.chat.types import OnDelta, RequestRefused
from codegemma_lsp.engines.protocol import Engine, Generation, Priority, Request, Sampling
from codegemma_lsp.prompt import ChatImpossible, Message, build_chat
from codegemma_lsp.settings import Settings

_DRAFTS = 4
"""Times as many tokens guessed at once as in a completion: answers about code copy long stretches of it."""


def rooms(engine: Engine, settings: Settings, max_tokens: int = 0) -> tuple[int, int]:
    """Tokens that a question may have, and its answer. ``max_tokens`` lowers the setting's."""
    room = min(settings.chat_context_tokens, engine.context_tokens)
    most = min(settings.chat_max_tokens, max_tokens or settings.chat_max_tokens, room // 2)
    return room - most, most


async def generated(
    messages: Sequence[Message],
    engine: Engine,
    settings: Settings,
    on_delta: OnDelta,
    *,
    begun: str = "",
    until: Callable[[str], bool] = lambda _: False,
    shown: Callable[[str], str] = lambda text: text,
    max_tokens: int = 0,
) -> Generation:
    """The answer to the last of ``messages``, which begins with ``begun``. ``shown`` is what may be shown of an answer
    so far, and only ever grows; ``until`` ends it, in the engine's thread. ``max_tokens`` lowers the setting's.

    Raises ``RequestRefused`` where the question does not fit, and what ``Engine.generate`` raises.
    """
    loop = asyncio.get_running_loop()
    said, over = 0, False

    def tell(text: str) -> None:
        nonlocal said
        if not over and len(more := shown(text)) > said:
            on_delta(more[said:])
            said = len(more)

    def on_text(text: str) -> bool:
        loop.call_soon_threadsafe(tell, text)
        return over or until(text)

    room, most = rooms(engine, settings, max_tokens)
    try:
        prompt = await asyncio.to_thread(build_chat, messages, engine.chat_template, engine.tokenizer, room, begun)
    except ChatImpossible as error:
        raise RequestRefused(str(error)) from None
    request = Request(
        prompt,
        most,
        Sampling(settings.chat_temperature, seed=settings.seed),
        Priority.CHAT,
        on_text=on_text,
        drafts=_DRAFTS * settings.drafts,
    )
    try:
        generation = await engine.generate(request)
        tell(generation.text)
    finally:
        over = True  # what is on its way yet comes after the answer
    return generation
