"""The decoding loop: one worker thread that owns a llama.cpp context, and takes requests in order of priority."""

from __future__ import annotations

import asyncio
import codecs
import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from codegemma_lsp.engines.base import (
    EngineError,
    EngineFailed,
    Finish,
    Generation,
    OnProgress,
    Priority,
    PromptTooLong,
    Request,
    Usage,
)
from codegemma_lsp.engines.native import Decoded, Native
from codegemma_lsp.engines.sampling import Choice, choose
from codegemma_lsp.engines.slots import Slot, Slots
from codegemma_lsp.engines.vocabulary import Vocabulary

log = logging.getLogger(__name__)

_CLOSED = "The engine was closed before it could answer."
_CLOSE = min(Priority) - 1
"""Before every request, so that closing waits for none."""


@dataclass(frozen=True, slots=True)
class Options:
    """``batch_tokens``: prompt tokens read between two looks at the cancel flag. ``threads`` 0: half of the
    processors, because a second thread that spins on a busy machine costs more than it brings."""

    context_tokens: int = 2048
    slots: int = 4
    batch_tokens: int = 64
    threads: int = 0
    gpu_layers: int = -1


@dataclass(frozen=True)
class _Job:
    request: Request
    done: Callable[[Generation | Exception], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    queued_at: float = field(default_factory=time.perf_counter)


class LlamaEngine:
    """An ``Engine`` on a GGUF file. ``load`` blocks until the model is in memory: call it in a thread.

    Greedy output is the same whatever the cache holds: tokens are only ever reused where they are equal.
    """

    def __init__(self, path: Path, options: Options, on_progress: OnProgress = lambda _: True) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self.name = path.stem
        self._running: _Job | None = None
        self._jobs: queue.PriorityQueue[tuple[int, int, _Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._slots = Slots(options.slots)
        self._native = Native(
            path,
            options.context_tokens,
            options.slots,
            options.batch_tokens,
            options.threads or max(1, (os.cpu_count() or 2) // 2),
            options.gpu_layers,
            self._should_stop,
            on_progress,
        )
        specials = self._native.specials()
        spellings = [self._native.text(token) for token in specials.values()]
        self._vocabulary = Vocabulary(
            self._native.pieces(),
            specials,
            spellings,
            self._native.controls(),
            self._native.encode,
            self._native.begins_with_bos(),
        )
        self._thread = threading.Thread(target=self._work, name="codegemma-llama", daemon=True)
        self._thread.start()

    @property
    def context_tokens(self) -> int:
        return self._native.context_tokens

    @property
    def tokenizer(self) -> Vocabulary:
        return self._vocabulary

    async def generate(self, request: Request) -> Generation:
        """Raises ``PromptTooLong``, ``ModelUnusable``, ``EngineFailed``; cancelling stops within one small batch."""
        if self._closed.is_set():
            raise EngineFailed(_CLOSED)
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
            if not loop.is_closed():
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
        if self._closed.is_set():
            raise EngineFailed(_CLOSED)
        self._put(request.priority, _Job(request, outcomes.put, cancelled or threading.Event()))
        outcome = outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        self._put(_CLOSE, None)
        self._thread.join()

    def _put(self, priority: int, job: _Job | None) -> None:
        """Numbers keep the order of equal priorities, and the queue from comparing jobs."""
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
                    job, self._native, self._vocabulary, self._slots, self._should_stop
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
        self._native.close()
        while not self._jobs.empty():
            _, _, left = self._jobs.get()
            if left is not None:
                left.done(EngineFailed(_CLOSED))


class _Run:
    """One request from its first prompt token to its last generated one."""

    def __init__(
        self, job: _Job, native: Native, vocabulary: Vocabulary, slots: Slots, stopped: Callable[[], bool]
    ) -> None:
        self.job, self.native, self.vocabulary, self.stopped = job, native, vocabulary, stopped
        self.request = job.request
        self.tokens = vocabulary.tokens(job.request.prompt)
        room = native.context_tokens - len(self.tokens)
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {len(self.tokens)} tokens and the model's context {native.context_tokens};"
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
        cut_to(self.slot, self.native, self.reused)
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
            batch = self.tokens[at : at + self.native.batch_tokens]
            done = self._read(batch)
            read += done
            late += done if self.stopped() else 0
            at += done
        self.usage = replace(self.usage, read=read, read_after_cancel=late)

    def _read(self, batch: list[int]) -> int:
        """Reads tokens into the slot; returns how many the cache holds of them, fewer where it was aborted."""
        before = len(self.slot.tokens)
        outcome = self.native.decode(self.slot.number, batch, before)
        if outcome is Decoded.DONE:
            self.slot.tokens += batch
            return len(batch)
        cut_to(self.slot, self.native, before)
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
        logits = self.native.logits()
        candidates = self.vocabulary.candidates(spell) if spell else None
        if candidates is not None and not len(candidates):
            raise EngineError("The model's vocabulary cannot spell the text before the cursor; set heal to false.")
        return choose(logits, self.request.sampling, rng, candidates)


def cut_to(slot: Slot, native: Native, length: int) -> None:
    """Shortens a slot, and believes the cache about what is left: some models can only drop everything."""
    held = native.trim(slot.number, length)
    del slot.tokens[min(length, held) :]
