"""The decoding loop: one worker thread that owns a model's cache and takes requests in order of priority."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from codegemma_lsp.engines.generation import Backend, Generating, as_generation
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import (
    EngineError,
    EngineFailed,
    Finish,
    Generation,
    Priority,
    Request,
    Usage,
    total,
)
from codegemma_lsp.engines.slots import Slots
from codegemma_lsp.engines.turns import Turns
from codegemma_lsp.engines.vocabulary import Vocabulary
from codegemma_lsp.prompt import Prompt

log = logging.getLogger(__name__)

_TELLING = 32
"""The number of prompt tokens from which a prefill is used to estimate the speed."""
_CLOSED = "The engine was closed before it could answer."
_CLOSE = min(Priority) - 1
"""The priority of closing, which runs before every request."""


OnDone: TypeAlias = Callable[[Generation | Exception], None]
"""Called with the answer to a request, or with why there is none."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    request: Request
    done: OnDone
    cancelled: threading.Event
    turn: int
    queued_at: float = field(default_factory=time.perf_counter)


class ScheduledEngine:
    """An ``Engine`` on a backend. Greedy output does not depend on the cache, because only equal tokens are reused.

    Subclasses make the backend in ``_open``. It may call ``_should_stop`` from the engine's thread while it decodes.
    """

    def __init__(self, name: str, slots: int, gate: PriorityGate | None = None, saved_mb: int = 0) -> None:
        """Loads the model. ``saved_mb`` is how many megabytes of prompts that left the cache are kept at most. ``gate``
        is shared with the other engines of the machine. Raises what ``_open`` raises."""
        self.name = name
        self._gate = gate or PriorityGate()
        self._running: _Job | None = None
        self._jobs: queue.PriorityQueue[tuple[int, int, int, _Job | None]] = queue.PriorityQueue()
        self._turns = Turns()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        """Held while a request enters the queue and while the engine closes, so that every request is answered."""
        self.usage = Usage()
        self._slots = Slots(slots, saved_mb * 1_000_000)
        self._prefill_speed = 0.0
        self._backend, self._vocabulary = self._open()
        self._thread = threading.Thread(target=self._work, name=f"codegemma-{name}", daemon=True)
        self._thread.start()

    def _open(self) -> tuple[Backend, Vocabulary]:
        raise NotImplementedError

    def _check(self) -> None:
        """Raises ``EngineFailed`` if the model cannot be used any more. It is called before each request."""

    @property
    def context_tokens(self) -> int:
        return self._backend.context_tokens

    @property
    def tokenizer(self) -> Vocabulary:
        return self._vocabulary

    @property
    def threads(self) -> int:
        return self._backend.threads

    @property
    def chat_template(self) -> str:
        return self._backend.chat_template

    @property
    def prefill_speed(self) -> float:
        return self._prefill_speed or self._backend.prefill_speed

    def unread(self, prompt: Prompt) -> int:
        tokens = self._vocabulary.tokens(prompt)
        return len(tokens) - self._slots.known(tokens)

    @property
    def is_waited_for(self) -> bool:
        """Whether a request waits for the one that runs."""
        return not self._jobs.empty()

    @property
    def idle(self) -> bool:
        return self._running is None and self._jobs.empty()

    async def generate(self, request: Request) -> Generation:
        """Returns the answer to a request. Cancelling stops within one small batch. Raises ``PromptTooLong``,
        ``ModelUnusable``, ``EngineFailed``."""
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
            with suppress(RuntimeError):  # the loop that asked is closed
                loop.call_soon_threadsafe(settle, outcome)

        cancelled = threading.Event()
        self.submit(request, done, cancelled)
        try:
            return await answer
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def run(self, request: Request, cancelled: threading.Event | None = None) -> Generation:
        """Runs ``generate`` for callers without an event loop. Setting ``cancelled`` ends it with
        ``Finish.CANCELLED``."""
        outcomes: queue.SimpleQueue[Generation | Exception] = queue.SimpleQueue()
        self.submit(request, outcomes.put, cancelled or threading.Event())
        outcome = outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            self._jobs.put((_CLOSE, 0, next(self._numbers), None))
        self._thread.join()

    def submit(self, request: Request, done: OnDone, cancelled: threading.Event, source: int = 0) -> None:
        """Puts a request into the queue. ``done`` is called in the engine's thread, once. Requests of equal priority
        from several sources take turns, and those of one source keep their order. Raises ``EngineFailed``."""
        with self._lock:
            if self._closed.is_set():
                raise EngineFailed(_CLOSED)
            turn = self._turns.next(request.priority, source)
            job = _Job(request=request, done=done, cancelled=cancelled, turn=turn)
            # The numbers keep the order of equal turns, and jobs are never compared.
            self._jobs.put((request.priority, turn, next(self._numbers), job))

    def _should_stop(self) -> bool:
        """Returns whether the running request must stop. Only the engine's thread, which alone takes requests from the
        queue, calls it.

        A chat request waits in this method, even within a batch, while another engine runs a more urgent request.
        """
        job, waiting = self._running, self._jobs.queue
        if self._closed.is_set() or job is None:
            return self._closed.is_set()
        priority = job.request.priority
        if priority is Priority.CHAT:
            self._gate.wait(self, priority, lambda: job.cancelled.is_set() or self._closed.is_set())
        gives_way = priority > Priority.CHAT and (
            self._gate.comes_after(self, priority) or (bool(waiting) and waiting[0][0] < priority)
        )
        return gives_way or job.cancelled.is_set()

    def _work(self) -> None:
        while True:
            *_, job = self._jobs.get()
            if job is None:
                break
            with self._lock:
                self._turns.begin(job.request.priority, job.turn)
            if job.cancelled.is_set():
                job.done(Generation(text="", finish=Finish.CANCELLED, usage=Usage()))
                continue
            self._running = job
            try:
                outcome: Generation | Exception = self._run(job)
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
            *_, left = self._jobs.get()
            if left is not None:
                left.done(EngineFailed(_CLOSED))

    def _run(self, job: _Job) -> Generation:
        progress = job.request.progress
        if progress is not None and progress.finish is not None:
            return as_generation(progress, progress.finish, Usage())
        self._check()
        running = Generating(job.request, self._backend, self._vocabulary, self._slots, self._should_stop)
        try:
            with self._gate.running(self, job.request.priority):
                return running.generation(job.queued_at)
        finally:
            self.usage = total((self.usage, running.usage))
            self._learn(running.usage)

    def _learn(self, usage: Usage) -> None:
        """Updates the prefill speed from a request whose prefill was long enough to measure."""
        if usage.prefill_tokens >= _TELLING and usage.prefill_ms > 0:
            speed = 1000 * usage.prefill_tokens / usage.prefill_ms
            self._prefill_speed += (speed - self.prefill_speed) / 2 if self._prefill_speed else speed
