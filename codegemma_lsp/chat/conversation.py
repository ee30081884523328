"""Questions and answers: one conversation, one turn at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from codegemma_lsp.chat.generate import generated, rooms
from codegemma_lsp.chat.references import as_text
from codegemma_lsp.chat.types import Answer, OnDelta, Reference, RequestRefused
from codegemma_lsp.engines.protocol import Engine, Finish
from codegemma_lsp.prompt import Message, Role
from codegemma_lsp.settings import Settings

SYSTEM = (
    "You are a programming assistant in a code editor. Answer in Markdown, to the point; put code into fenced blocks"
    " with the language's name."
)
EXPLAIN = "Explain this code: what it does and how, and what to watch out for."
_MOST_CONVERSATIONS = 64


@dataclass
class Conversation:
    """What was said under one id; ``busy`` while an answer is being made."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    messages: list[Message] = field(default_factory=list)
    busy: bool = False

    def add(self, question: str, answer: str) -> None:
        """An exchange, unless there was no answer."""
        if answer.strip():
            self.messages += [Message(Role.USER, question), Message(Role.ASSISTANT, answer.strip())]

    @contextmanager
    def answering(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False


class ConversationStore:
    """Those of one session, the least recently used one forgotten first."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Conversation] = OrderedDict()

    def forget(self, id_: str) -> None:
        self._all.pop(id_, None)

    def find(self, id_: str | None) -> Conversation:
        """The conversation of an id, a new one for None. Raises ``RequestRefused``."""
        if id_ is None:
            idle = [known for known, one in self._all.items() if not one.busy]
            idle.sort(key=lambda known: bool(self._all[known].messages))  # first those that came to nothing
            if len(self._all) >= _MOST_CONVERSATIONS and idle:
                del self._all[idle[0]]
            conversation = Conversation()
            self._all[conversation.id] = conversation
            return conversation
        if id_ not in self._all:
            raise RequestRefused("This conversation is not known any more; begin a new one, without conversationId.")
        self._all.move_to_end(id_)
        if self._all[id_].busy:
            raise RequestRefused("This conversation is being answered; wait or cancel, or begin another.")
        return self._all[id_]


async def ask(
    conversation: Conversation,
    text: str,
    references: Sequence[Reference],
    engine: Engine,
    settings: Settings,
    on_delta: OnDelta,
) -> Answer:
    """The answer to a question, which joins the conversation with it. Of an answer that is cancelled, what was said
    stays in the conversation. Raises ``RequestRefused``, and what ``Engine.generate`` raises."""
    room, _ = rooms(engine, settings)
    about = await asyncio.to_thread(as_text, references, max(64, room * 2 // 3), engine.tokenizer)
    question = Message(Role.USER, f"{about}\n\n{text}" if about else text)
    said: list[str] = []

    def also_say(more: str) -> None:
        said.append(more)
        on_delta(more)

    try:
        asked = [Message(Role.SYSTEM, SYSTEM), *conversation.messages, question]
        generation = await generated(asked, engine, settings, also_say)
    finally:
        conversation.add(question.text, "".join(said))
    return Answer("".join(said), complete=generation.finish is Finish.STOP_TOKEN)
