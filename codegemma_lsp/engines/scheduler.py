"""The decoding loop: one worker thread that owns a model's cache, and takes requests in order of priority."""

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
from codegemma_lsp.engines.vocabulary import Vocabulary

log = logging.getLogger(__name__)

_CLOSED = "The engine was closed before it could answer."
_CLOSE = min(Priority) - 1
"""Before every request, so that closing waits for none."""


@dataclass(frozen=True)
class _Job:
    request: Request
    done: Callable[[Generation | Exception], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    queued_at: float = field(default_factory=time.perf_counter)


class ScheduledEngine:
    """An ``Engine`` on a backend. Greedy output is the same whatever the cache holds: tokens are only ever reused where
    they are equal.

    Subclasses make the backend in ``_open``, which may ask ``_should_stop`` from the engine's thread while it decodes.
    """

    def __init__(self, name: str, slots: int, gate: PriorityGate | None = None) -> None:
        """``gate`` is what it shares with the other engines of the machine. Raises what ``_open`` raises."""
        self.name = name
        self._gate = gate or PriorityGate()
        self._running: _Job | None = None
        self._jobs: queue.PriorityQueue[tuple[int, int, _Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._door = threading.Lock()
        """Held where a request goes in and where the engine closes, so that none goes in unanswered."""
        self.usage = Usage()
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

    @property
    def threads(self) -> int:
        return self._backend.threads

    @property
    def chat_template(self) -> str:
        return self._backend.chat_template

    @property
    def idle(self) -> bool:
        return self._running is None and self._jobs.empty()

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
        """Asked by the engine's thread only, which alone takes requests out of the queue. Chat waits in here, in the
        midst of a batch if need be, while another engine has something more urgent."""
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
            _, _, job = self._jobs.get()
            if job is None:
                break
            if job.cancelled.is_set():
                job.done(Generation("", Finish.CANCELLED, Usage()))
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
            _, _, left = self._jobs.get()
            if left is not None:
                left.done(EngineFailed(_CLOSED))

    def _run(self, job: _Job) -> Generation:
        progress = job.request.progress
        if progress is not None and progress.finish is not None:
            return as_generation(progress, progress.finish, Usage())
        running = Generating(job.request, self._backend, self._vocabulary, self._slots, self._should_stop)
        try:
            with self._gate.running(self, job.request.priority):
                return running.generation(job.queued_at)
        finally:
            self.usage = total((self.usage, running.usage))
