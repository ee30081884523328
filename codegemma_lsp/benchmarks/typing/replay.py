"""Plays a session on a system, and keeps when each key was pressed and when an answer for it was there."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field, replace
from typing import Protocol

from codegemma_lsp.benchmarks.typing.sessions import Act, Key, Rhythm, Session
from codegemma_lsp.document import Document, Edit, Span

_WORD = re.compile(r"\s*(\w+|[^\w\s]+)")
PATIENCE_S = 120.0
"""How long an answer is waited for before a key counts as unanswered."""
_LOOKS_S = 1.5
"""How long a person looks for a suggestion to accept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system had to say of the document's state ``version``; ``insert`` would replace ``span``."""

    at: float
    version: int
    insert: str
    span: Span
    reused: bool


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key: when it was pressed, by ``time.perf_counter``; its place in the session; whether it was asked about."""

    at: float
    number: int
    act: Act
    asked: bool = True


@dataclass
class Record:
    """What happened in a session, by the version of the document that a key made. ``reads``: prompt tokens read since
    the key before; ``made``: tokens generated for the key's answer."""

    keys: dict[int, Pressed] = field(default_factory=dict)
    reads: dict[int, int] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    failure: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, version: int, insert: str, span: Span, reused: bool) -> None:
        self.answers.append(Answer(time.perf_counter(), version, insert, span, reused))
        self.news.set()

    def fail(self, why: str) -> None:
        """The system broke: what it measures from now on means nothing."""
        self.failure = self.failure or why
        self.news.set()

    def read(self, version: int, tokens: int) -> None:
        self.reads[version] = self.reads.get(version, 0) + tokens

    def check(self) -> None:
        """Raises ``RuntimeError`` where the system broke."""
        if self.failure:
            raise RuntimeError(self.failure)

    def first(self, version: int) -> Answer | None:
        return next((answer for answer in self.answers if answer.version == version), None)

    async def until_answered(self, version: int, seconds: float) -> Answer | None:
        """The latest answer for a state; None where there is none in time, or the system was not asked. Raises
        ``RuntimeError``."""
        limit = time.perf_counter() + seconds
        pressed = self.keys.get(version)
        while (found := next((a for a in reversed(self.answers) if a.version == version), None)) is None:
            left = limit - time.perf_counter()
            self.check()
            if left <= 0 or (pressed is not None and not pressed.asked):
                return None
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), left)
            except TimeoutError:
                return None
        return found

    def waited_ms(self, version: int) -> float | None:
        """Until there was an answer for a key's state or a later one: a key that the next one overtook waits on, as the
        person does. None where it was not asked about, or the person came to a place where nothing is asked before."""
        pressed = self.keys[version]
        end = min((v for v, other in self.keys.items() if v > version and not other.asked), default=version + 10**9)
        times = (answer.at for answer in self.answers if version <= answer.version < end)
        at = min(times, default=None) if pressed.asked else None
        return None if at is None else 1000 * (at - pressed.at)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a system has used since it was started: tokens, processor seconds, resident megabytes. ``rejected`` tokens
    were guessed and were wrong."""

    read: int = 0
    generated: int = 0
    rejected: int = 0
    cpu_s: float = 0.0
    rss_mb: float = 0.0


class System(Protocol):
    """Something that completes code while somebody types."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def open(self, document: Document, record: Record) -> None:
        """The document of the next keys, and where answers go."""
        ...

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        """``edit`` has made the document, and the cursor is at ``offset``; whether the system wants to answer here."""
        ...

    def move(self, document: Document, offset: int) -> None:
        """The cursor has been moved without a change."""
        ...

    async def close(self) -> None:
        """The document is closed, and nothing runs for it any more. Raises ``RuntimeError`` where the system broke."""
        ...

    async def counters(self) -> Counters: ...

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int | None] | None:
        """Asks for a completion, gives it up so long after the model has begun, and returns the milliseconds until it
        is idle and the prompt tokens read meanwhile, where that can be seen; None where it was answered before."""
        ...


async def play(session: Session, system: System, rhythm: Rhythm) -> Record:
    """Presses a session's keys; an acceptance waits until there is something to accept, and is left out where there is
    nothing."""
    record = Record()
    document = Document("file:///workspace/" + session.name, session.text, "python", 1)
    await system.open(document, record)
    due, undo = time.perf_counter(), None
    for number, key in enumerate(session.keys):
        if rhythm is Rhythm.PERSON:
            due = max(due + key.gap_ms / 1000, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())
        if key.act is Act.MOVE:
            system.move(document, key.span.start)
            continue
        edit, undo = await _edit(key, document, record, undo)
        if edit is None:
            continue
        document = document.with_edit(edit, document.version + 1)
        offset = edit.span.start + (0 if key.act is Act.UNDO else len(edit.text))
        pressed = record.keys[document.version] = Pressed(time.perf_counter(), number, key.act)
        if not system.key(document, offset, edit):
            record.keys[document.version] = replace(pressed, asked=False)
        if rhythm is Rhythm.FAST:
            await record.until_answered(document.version, PATIENCE_S)
    if document.version in record.keys:
        await record.until_answered(document.version, PATIENCE_S)
    await system.close()
    return record


async def _edit(key: Key, document: Document, record: Record, undo: Edit | None) -> tuple[Edit | None, Edit | None]:
    """What a key does to the document, and what would undo it; None where it does nothing."""
    if key.act in (Act.TYPE, Act.DELETE):
        return Edit(key.span, key.text), None
    if key.act is Act.UNDO:
        return undo, None
    answer = await record.until_answered(document.version, _LOOKS_S)
    if answer is None or not answer.insert:
        return None, None
    text = answer.insert
    if key.act is Act.ACCEPT_WORD and (word := _WORD.match(text)):
        text = word.group()
    span = answer.span if text == answer.insert else Span(answer.span.start, answer.span.start)
    replaced = document.text[span.start : span.end]
    return Edit(span, text), Edit(Span(span.start, span.start + len(text)), replaced)
