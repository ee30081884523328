"""Conversations: questions and answers, one exchange at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from codegemma_lsp.chat.generate import generated, token_limits
from codegemma_lsp.chat.references import as_text
from codegemma_lsp.chat.repetition import repeats, without_repeats
from codegemma_lsp.chat.types import Answer, ChatContext, Reference, RequestRefused
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.prompt import Message, Role

SYSTEM = (
    "You are a programming assistant in a code editor. Answer in Markdown, to the point; put code into fenced blocks"
    " with the language's name."
)
REPEATED = "The model repeated itself, so the answer was stopped."
EXPLAIN = "Explain this code: what it does and how, and what to watch out for."
_MOST_CONVERSATIONS = 64


@dataclass
class Conversation:
    """The messages of one conversation. ``busy`` is True while an answer is being generated."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    messages: list[Message] = field(default_factory=list)
    busy: bool = False

    def add(self, question: str, answer: str) -> None:
        """Adds an exchange, unless the answer is blank."""
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
    """The conversations of one session. The least recently used one is dropped first."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Conversation] = OrderedDict()

    def forget(self, id_: str) -> None:
        self._all.pop(id_, None)

    def begin(self) -> Conversation:
        """Returns a new conversation, which replaces an idle one if there are too many."""
        idle = [known for known, one in self._all.items() if not one.busy]
        idle.sort(key=lambda known: bool(self._all[known].messages))  # empty ones first
        if len(self._all) >= _MOST_CONVERSATIONS and idle:
            del self._all[idle[0]]
        conversation = Conversation()
        self._all[conversation.id] = conversation
        return conversation

    def find(self, id_: str) -> Conversation:
        """Returns the conversation of an id. Raises ``RequestRefused`` if it is unknown or is being answered."""
        if id_ not in self._all:
            raise RequestRefused("This conversation is not known any more; begin a new one, without conversationId.")
        self._all.move_to_end(id_)
        if self._all[id_].busy:
            raise RequestRefused("This conversation is being answered; wait or cancel, or begin another.")
        return self._all[id_]


async def ask(chat: ChatContext, conversation: Conversation, text: str, references: Sequence[Reference]) -> Answer:
    """Returns the answer to a question, and adds both to the conversation.

    If the answer is cancelled, the text so far stays in the conversation. An answer that only repeats itself is
    stopped. Raises ``RequestRefused``, and what ``Engine.generate`` raises.
    """
    said: list[str] = []

    def also_say(more: str) -> None:
        said.append(more)
        chat.on_delta(more)

    question_tokens, _ = token_limits(chat)
    room = max(64, question_tokens * 2 // 3)
    about = await asyncio.to_thread(as_text, references, text, room, chat.engine.tokenizer)
    question = Message(Role.USER, f"{about.text}\n\n{text}" if about.text else text)
    try:
        asked = [Message(Role.SYSTEM, SYSTEM), *conversation.messages, question]
        generation = await generated(replace(chat, on_delta=also_say), asked, until=repeats)
        repeated = generation.finish is Finish.ON_TEXT
        if repeated:
            said[:] = [without_repeats("".join(said))]
    finally:
        conversation.add(question.text, "".join(said))
    complete = generation.finish is Finish.STOP_TOKEN
    note = " ".join(filter(None, (REPEATED if repeated else "", about.missing)))
    return Answer(text="".join(said), complete=complete, note=note)
