"""The decoding loop: one worker thread that owns a model's cache, and takes requests in order of priority."""

from __future__ import annotations

import asyncio
import codecs
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Protocol

import numpy as np

from codegemma_lsp.engines.base import (
    EngineError,
    EngineFailed,
    Finish,
    Generation,
    Priority,
    PromptTooLong,
    Request,
    Usage,
)
from codegemma_lsp.engines.sampling import Choice, Logits, choose
from codegemma_lsp.engines.slots import Slot, Slots
from codegemma_lsp.engines.vocabulary import Vocabulary

log = logging.getLogger(__name__)

_CLOSED = "The engine was closed before it could answer."
_CLOSE = min(Priority) - 1
"""Before every request, so that closing waits for none."""


class Decoded(Enum):
    """What became of a batch."""

    DONE = auto()
    ABORTED = auto()


class Backend(Protocol):
    """A loaded model with a cache of several sequences, used by one thread at a time."""

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence can hold."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Most tokens of one ``decode``."""
        ...

    def decode(self, slot: int, tokens: Sequence[int], position: int) -> Decoded:
        """Reads tokens into a slot from a position on; logits are kept for the last one. Raises ``EngineFailed``."""
        ...

    def logits(self) -> Logits:
        """Scores of the last token read, shape (vocabulary,), valid until the next ``decode``."""
        ...

    def trim(self, slot: int, length: int) -> int:
        """Drops what a slot holds from position ``length`` on, and returns how many tokens it holds then."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Job:
    request: Request
    done: Callable[[Generation | Exception], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    queued_at: float = field(default_factory=time.perf_counter)


class LoopEngine:
    """An ``Engine`` on a backend. Greedy output is the same whatever the cache holds: tokens are only ever reused where
    they are equal.

    Subclasses make the backend in ``_open``, which may ask ``_should_stop`` from the engine's thread while it decodes.
    """

    def __init__(self, name: str, slots: int) -> None:
        """Raises what ``_open`` raises."""
        self.name = name
        self._running: _Job | None = None
        self._jobs: queue.PriorityQueue[tuple[int, int, _Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._door = threading.Lock()
        """Held where a request goes in and where the engine closes, so that none goes in unanswered."""
        self._slots = Slots(slots)
        self._backend, self._vocabulary = self._open()
        self._thread = threading.Thread(target=self._work, name=f"codegemma-{name}", daemon=True)
        self._thread.start()

    def _open(self) -> tuple[Backend, Vocabulary]:
        raise NotImplementedError

    @property
    def context_tokens(self) -> int:
        return self._backend.context_tokens

    @property
    def tokenizer(self) -> Vocabulary:
        return self._vocabulary

    async def generate(self, request: Request) -> Generation:
        """Raises ``PromptTooLong``, ``ModelUnusable``, ``EngineFailed``; cancelling stops within one small batch."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Generation] = loop.create_future()

        def settle(outcome: Generation | Exception) -> None:
            if answer.done():
                return
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        def done(outcome: Generation | Exception) -> None:
            with suppress(RuntimeError):  # the loop that asked is closed, and nobody waits
                loop.call_soon_threadsafe(settle, outcome)

        job = _Job(request, done)
        self._put(request.priority, job)
        try:
            return await answer
        except asyncio.CancelledError:
            job.cancelled.set()
            raise

    def run(self, request: Request, cancelled: threading.Event | None = None) -> Generation:
        """``generate`` for callers without an event loop; setting ``cancelled`` gives ``Finish.CANCELLED``."""
        outcomes: queue.SimpleQueue[Generation | Exception] = queue.SimpleQueue()
        self._put(request.priority, _Job(request, outcomes.put, cancelled or threading.Event()))
        outcome = outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        with self._door:
            if self._closed.is_set():
                return
            self._closed.set()
            self._jobs.put((_CLOSE, next(self._numbers), None))
        self._thread.join()

    def _put(self, priority: int, job: _Job) -> None:
        """Numbers keep the order of equal priorities, and the queue from comparing jobs. Raises ``EngineFailed``."""
        with self._door:
            if self._closed.is_set():
                raise EngineFailed(_CLOSED)
            self._jobs.put((priority, next(self._numbers), job))

    def _should_stop(self) -> bool:
        job = self._running
        return self._closed.is_set() or (job is not None and job.cancelled.is_set())

    def _work(self) -> None:
        while True:
            _, _, job = self._jobs.get()
            if job is None:
                break
            if job.cancelled.is_set():
                job.done(Generation("", Finish.CANCELLED, Usage()))
                continue
            self._running = job
            try:
                outcome: Generation | Exception = _Run(
                    job, self._backend, self._vocabulary, self._slots, self._should_stop
                ).generation()
            except EngineError as error:
                outcome = error
            except Exception as error:
                log.debug("a generation failed", exc_info=error)
                outcome = EngineFailed(f"The engine failed ({type(error).__name__}: {error}); it starts again.")
            if self._closed.is_set():
                outcome = EngineFailed(_CLOSED)
            self._running = None
            job.done(outcome)
        self._backend.close()
        while not self._jobs.empty():
            _, _, left = self._jobs.get()
            if left is not None:
                left.done(EngineFailed(_CLOSED))


class _Run:
    """One request from its first prompt token to its last generated one."""

    def __init__(
        self, job: _Job, backend: Backend, vocabulary: Vocabulary, slots: Slots, stopped: Callable[[], bool]
    ) -> None:
        self.job, self.backend, self.vocabulary, self.stopped = job, backend, vocabulary, stopped
        self.request = job.request
        self.tokens = vocabulary.tokens(job.request.prompt)
        room = backend.context_tokens - len(self.tokens)
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {len(self.tokens)} tokens and the model's context {backend.context_tokens};"
                " shorten it, or raise contextTokens."
            )
        self.max_tokens = min(job.request.max_tokens, room)
        self.slot, shared = slots.pick(self.tokens)
        # The last token is always read: its logits choose the first generated one.
        self.reused = min(shared, len(self.tokens) - 1)
        self.usage = Usage(prompt=len(self.tokens), reused=self.reused)

    def generation(self) -> Generation:
        started = time.perf_counter()
        self.usage = replace(self.usage, queue_ms=1000 * (started - self.job.queued_at))
        cut_to(self.slot, self.backend, self.reused)
        self.reused = len(self.slot.tokens)
        self._prefill()
        read_at = time.perf_counter()
        self.usage = replace(self.usage, reused=self.reused, prefill_ms=1000 * (read_at - started))
        if self.stopped():
            return Generation("", Finish.CANCELLED, self.usage)
        text, finish, logprobs, count = self._decode()
        elapsed = 1000 * (time.perf_counter() - read_at)
        return Generation(text, finish, replace(self.usage, generated=count, decode_ms=elapsed), tuple(logprobs))

    def _prefill(self) -> None:
        at, read, late = self.reused, 0, 0
        while at < len(self.tokens) and not self.stopped():
            batch = self.tokens[at : at + self.backend.batch_tokens]
            done = self._read(batch)
            read += done
            late += done if self.stopped() else 0
            at += done
        self.usage = replace(self.usage, read=read, read_after_cancel=late)

    def _read(self, batch: list[int]) -> int:
        """Reads tokens into the slot; returns how many the cache holds of them, fewer where it was aborted."""
        before = len(self.slot.tokens)
        outcome = self.backend.decode(self.slot.number, batch, before)
        if outcome is Decoded.DONE:
            self.slot.tokens += batch
            return len(batch)
        cut_to(self.slot, self.backend, before)
        return 0

    def _decode(self) -> tuple[str, Finish, list[float], int]:
        rng = np.random.default_rng(self.request.sampling.seed)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        spell, text, logprobs, count = self.request.prompt.spell, "", list[float](), 0
        stops = self.vocabulary.controls
        while count < self.max_tokens:
            if self.stopped():
                return text, Finish.CANCELLED, logprobs, count
            choice = self._choose(spell, rng)
            count += 1
            if choice.token in stops:
                return text, Finish.STOP_TOKEN, logprobs, count
            piece = self.vocabulary.piece(choice.token)
            spelled = min(len(spell), len(piece))
            spell, new = spell[spelled:], decoder.decode(piece[spelled:])
            if spelled < len(piece):
                logprobs.append(choice.logprob)
            text += new
            if new and self._wants_to_stop(text):
                return text, Finish.ON_TEXT, logprobs, count
            if count < self.max_tokens and self._read([choice.token]) == 0:
                return text, Finish.CANCELLED, logprobs, count
        return text, Finish.LENGTH, logprobs, count

    def _wants_to_stop(self, text: str) -> bool:
        """A mistake in a stop rule is not the engine's: loading it again would not help."""
        try:
            return self.request.on_text is not None and self.request.on_text(text)
        except Exception as error:
            log.debug("a stop rule failed", exc_info=error)
            raise EngineError(f"The end of the suggestion could not be told ({type(error).__name__}).") from error

    def _choose(self, spell: bytes, rng: np.random.Generator) -> Choice:
        logits = self.backend.logits()
        candidates = self.vocabulary.candidates(spell) if spell else None
        if candidates is not None and not len(candidates):
            raise EngineError("The model's vocabulary cannot spell the text before the cursor; set heal to false.")
        return choose(logits, self.request.sampling, rng, candidates)


def cut_to(slot: Slot, backend: Backend, length: int) -> None:
    """Shortens a slot, and believes the cache about what is left: some models can only drop everything."""
    held = backend.trim(slot.number, length)
    del slot.tokens[min(length, held) :]
