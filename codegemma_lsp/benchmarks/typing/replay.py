"""Plays a session on a system, and records when each key was pressed and when its answer arrived."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field, replace
from typing import Protocol

from codegemma_lsp.benchmarks.typing.screen import Screen
from codegemma_lsp.benchmarks.typing.sessions import Act, Key, Rhythm, Session
from codegemma_lsp.document import Document, Edit, Span

_WORD = re.compile(r"\s*(\w+|[^\w\s]+)")
PATIENCE_S = 120.0
"""The number of seconds after which a key counts as unanswered."""
_LOOKS_S = 1.5
"""The number of seconds for which a person waits for a suggestion to accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A system's answer for the document's state ``version``. ``insert`` would replace ``span``. ``at`` is in seconds
    of the screen's clock."""

    at: float
    version: int
    insert: str
    span: Span
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A key: when it was pressed, by ``time.perf_counter``, its number in the session, what it did, and whether the
    system was asked about it."""

    at: float
    number: int
    act: Act
    asked: bool = True


@dataclass
class Record:
    """What happened in a session, by the document version that a key made.

    ``prefill_tokens`` counts tokens since the key before. ``completion_tokens`` counts tokens for the key's answer.
    ``screen`` has what the system's editor shows.
    """

    keys: dict[int, Pressed] = field(default_factory=dict)
    prefill_tokens: dict[int, int] = field(default_factory=dict)
    completion_tokens: dict[int, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    screen: Screen = field(default_factory=Screen)
    failure: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, version: int, insert: str, span: Span, reused: bool) -> None:
        self.answers.append(Answer(at=self.screen.now(), version=version, insert=insert, span=span, reused=reused))
        self.news.set()

    def fail(self, why: str) -> None:
        """Notes that the system failed, so that later measurements are invalid."""
        self.failure = self.failure or why
        self.news.set()

    def add_prefill(self, version: int, tokens: int) -> None:
        self.prefill_tokens[version] = self.prefill_tokens.get(version, 0) + tokens

    def check(self) -> None:
        """Raises ``RuntimeError`` if the system failed."""
        if self.failure:
            raise RuntimeError(self.failure)

    def first(self, version: int) -> Answer | None:
        return next((answer for answer in self.answers if answer.version == version), None)

    async def until_answered(self, version: int, seconds: float) -> Answer | None:
        """Returns the latest answer for a state, or None if there is none within ``seconds`` or the system was not
        asked. Raises ``RuntimeError``."""
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
        """Returns the milliseconds until there was an answer for a key's state or a later one.

        If the next key comes before the answer, the wait continues, as it does for a person. The result is None if the
        system was not asked about the key, or if a key about which it was not asked came first.
        """
        pressed = self.keys[version]
        end = min((v for v, other in self.keys.items() if v > version and not other.asked), default=version + 10**9)
        times = (answer.at for answer in self.answers if version <= answer.version < end)
        at = min(times, default=None) if pressed.asked else None
        return None if at is None else 1000 * (at - pressed.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a system has used since its start: tokens, processor seconds, and resident memory in megabytes.
    ``rejected_tokens`` are drafts that were wrong."""

    prefill_tokens: int = 0
    completion_tokens: int = 0
    rejected_tokens: int = 0
    cpu_s: float = 0.0
    rss_mb: float = 0.0


class System(Protocol):
    """A system that completes code during typing."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def open(self, document: Document, record: Record) -> None:
        """Opens the document of the next keys. Answers go to ``record``."""
        ...

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        """Handles a key whose ``edit`` made the document, with the cursor at ``offset``. Returns whether the system is
        asked here."""
        ...

    def move(self, document: Document, offset: int) -> None:
        """Handles a move of the cursor without a change."""
        ...

    async def close(self) -> None:
        """Closes the document and waits until nothing runs for it. Raises ``RuntimeError`` if the system failed."""
        ...

    async def counters(self) -> Counters: ...

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int | None] | None:
        """Asks for a completion and cancels it ``after_s`` seconds after the model has begun.

        Returns the milliseconds until the system is idle and the prompt tokens that were prefilled meanwhile, which are
        None if the system does not report them. Returns None if the answer came before the cancellation.
        """
        ...


async def play(session: Session, system: System, rhythm: Rhythm) -> Record:
    """Presses a session's keys. An acceptance waits until there is something to accept, and is left out if there is
    nothing."""
    record = Record()
    document = Document(uri="file:///workspace/" + session.name, text=session.text, language="python", version=1)
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
        pressed = record.keys[document.version] = Pressed(at=time.perf_counter(), number=number, act=key.act)
        if not system.key(document, offset, edit):
            record.keys[document.version] = replace(pressed, asked=False)
        if rhythm is Rhythm.FAST:
            await record.until_answered(document.version, PATIENCE_S)
    if document.version in record.keys:
        await record.until_answered(document.version, PATIENCE_S)
    await system.close()
    return record


async def _edit(key: Key, document: Document, record: Record, undo: Edit | None) -> tuple[Edit | None, Edit | None]:
    """Returns the edit that a key makes and the edit that would undo it, or None for each if there is none."""
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
