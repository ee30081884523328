"""One generation for a client, as a stream of what it adds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.protocol import EngineFailed, Finish, Generation, Progress, Request, Usage
from codegemma_lsp.engines.scheduler import ScheduledEngine

_SLICE_S = 0.25
"""The number of seconds after which a generation makes way for requests that wait, and then goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was added to an answer: its text, and the texts and log-probabilities (in nats) of its tokens."""

    text: str
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(kw_only=True)
class Running:
    """A generation of an engine that windows use, too. ``source`` is the client as its requests take turns.

    It ends before the first of ``stops``. A piece of text that may begin one is held back. ``finish`` and ``usage`` are
    known after the last piece.
    """

    engine: ScheduledEngine
    pool: Pool
    request: Request
    stops: tuple[str, ...]
    source: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    finish: Finish | None = None
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Queue[tuple[str, int] | Generation | Exception] = asyncio.Queue()
        self._progress = Progress()
        self._told = self._tokens_told = 0
        self._began = 0.0

    async def added(self) -> AsyncGenerator[Added]:
        """Yields what is generated, and cancels the generation when it is closed. Raises ``EngineError``."""
        try:
            self._submit()
            while self.finish is None:
                if (piece := self._piece(await self._news.get())) is not None:
                    yield piece
        finally:
            self.cancelled.set()

    def _piece(self, news: tuple[str, int] | Generation | Exception) -> Added | None:
        if isinstance(news, Exception):
            raise news
        if isinstance(news, Generation):
            return self._ended(news)
        return self._new(*news)

    def _submit(self) -> None:
        self._began = 0.0
        request = replace(self.request, on_text=self._on_text, given_up=self._gives_way, progress=self._progress)
        self.pool.begin(self.engine)
        try:
            self.engine.submit(request, self._done, self.cancelled, self.source)
        except EngineFailed as error:
            self.pool.end(self.engine, error)
            raise

    def _gives_way(self) -> bool:
        """Returns whether others have waited for long enough. The engine's thread calls it."""
        now = time.perf_counter()
        self._began = self._began or now
        return self.engine.is_waited_for and now - self._began >= _SLICE_S

    def _on_text(self, text: str) -> bool:
        end = first_of(self.stops, text, max(0, self._told))
        self._tell((text if end < 0 else text[:end], len(self._progress.ends)))
        return end >= 0

    def _done(self, outcome: Generation | Exception) -> None:
        self.pool.end(self.engine, outcome)
        self._tell(outcome)

    def _tell(self, news: tuple[str, int] | Generation | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._news.put_nowait, news)

    def _new(self, text: str, tokens: int) -> Added | None:
        """Returns what of a text may be told now. The progress may have more than that already."""
        return self._told_up_to(text, len(text) - held_back(self.stops, text), tokens)

    def _told_up_to(self, text: str, end: int, tokens: int) -> Added | None:
        if end <= self._told:
            return None
        ends, logprobs = self._progress.ends, self._progress.logprobs
        found = []
        while self._tokens_told < tokens and ends[self._tokens_told] <= end:
            at = self._tokens_told
            found.append((text[ends[at - 1] if at else 0 : ends[at]], logprobs[at]))
            self._tokens_told += 1
        piece, self._told = Added(text=text[self._told : end], tokens=tuple(found)), end
        return piece

    def _ended(self, generation: Generation) -> Added | None:
        """Goes on with a generation that made way. What it has in the cache then is its own text."""
        more, before = generation.usage, self.usage
        self.usage = (
            replace(before, completion_tokens=before.completion_tokens + more.completion_tokens)
            if before.prompt_tokens
            else more
        )
        if generation.finish is Finish.CANCELLED and not self.cancelled.is_set():
            self._submit()
            return None
        self.finish = generation.finish
        text = generation.text
        end = first_of(self.stops, text, 0)
        return self._told_up_to(text, len(text) if end < 0 else end, len(self._progress.ends))


def first_of(stops: tuple[str, ...], text: str, after: int) -> int:
    """Returns where the first stop begins that is not before ``after``, or -1."""
    return min((at for stop in stops if (at := text.find(stop, after)) >= 0), default=-1)


def held_back(stops: tuple[str, ...], text: str) -> int:
    """Returns the length of the longest end of a text with which a stop begins."""
    longest = max(map(len, stops), default=0)
    return next((n for n in range(min(longest - 1, len(text)), 0, -1) if _begins(stops, text[-n:])), 0)


def _begins(stops: tuple[str, ...], end: str) -> bool:
    return any(stop.startswith(end) for stop in stops)
