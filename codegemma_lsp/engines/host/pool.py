"""The models of the host, which its windows share."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from codegemma_lsp import engines
from codegemma_lsp.engines.host.messages import SharedModel
from codegemma_lsp.engines.host.record import MOST_ENDS, Record
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import EngineFailed, Finish, Generation, LoadCancelled, ModelUnusable, OnProgress
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.selection import LOADED_BY
from codegemma_lsp.settings import Settings

_LOOK_S = 0.2
"""The number of seconds after which a wait for somebody else's load checks whether it was given up."""


@dataclass(eq=False, kw_only=True)
class _Shared:
    """An engine, or one that is being loaded.

    The record has ``noted`` of its generations, until the engine ``has_answered`` once. One that ``is_broken`` is not
    shared any more.
    """

    key: str
    path: str
    loading: threading.Lock = field(default_factory=threading.Lock)
    share: float = 0.0
    engine: ScheduledEngine | None = None
    users: int = 0
    noted: int = 0
    has_answered: bool = False
    is_broken: bool = False
    timer: threading.Timer | None = None


class Pool:
    """Engines that are loaded once for all who ask for the same model with the same settings of an engine.

    An engine that nobody uses is freed after ``idle_s`` seconds, or when another model is loaded. Any thread may call
    it.
    """

    def __init__(self, record: Record, idle_s: float) -> None:
        self.loads = 0
        self._record, self._idle_s, self._gate = record, idle_s, PriorityGate()
        self._lock = threading.Lock()
        """Held while users are counted, and never while an engine is loaded or closed."""
        self._shared: dict[str, _Shared] = {}
        self._of: dict[ScheduledEngine, _Shared] = {}

    def take(self, settings: Settings, on_progress: OnProgress) -> ScheduledEngine:
        """Returns the engine for these settings, loaded if it is not. Raises what ``engines.load`` does, and
        ``ModelUnusable`` for a model that has ended the host too often."""
        key = _key(settings)
        with self._lock:
            shared = self._shared.setdefault(key, _Shared(key=key, path=settings.model))
            shared.users += 1
            if shared.timer is not None:
                shared.timer.cancel()
        try:
            return self._loaded(shared, settings, on_progress)
        except BaseException:
            self._release(shared)
            raise

    def give_back(self, engine: ScheduledEngine) -> None:
        """Takes an engine that one of its users needs no more."""
        self._release(self._of[engine])

    def begin(self, engine: ScheduledEngine) -> None:
        """Takes note that a generation was asked for."""
        shared = self._of[engine]
        with self._lock:
            if shared.has_answered:
                return
            shared.noted += 1
        self._record.begin(shared.key)

    def end(self, engine: ScheduledEngine, outcome: Generation | Exception) -> None:
        """Takes note of the outcome of a generation. An engine that has failed is given to nobody else."""
        shared = self._of[engine]
        has_answered = isinstance(outcome, Generation) and outcome.finish is not Finish.CANCELLED
        with self._lock:
            finished = shared.noted if has_answered else min(shared.noted, 1)
            shared.noted -= finished
            shared.has_answered |= has_answered
        if finished:
            self._record.finish(shared.key, finished)
        if has_answered:
            self._record.clear(shared.key)
        if isinstance(outcome, EngineFailed):
            self._set_apart(shared)

    @property
    def is_empty(self) -> bool:
        return not self._shared and not self._of

    def models(self) -> tuple[SharedModel, ...]:
        """Returns what is loaded."""
        loaded = list(self._of.items())
        return tuple(SharedModel(name=engine.name, path=one.path, users=one.users) for engine, one in loaded)

    def _loaded(self, shared: _Shared, settings: Settings, on_progress: OnProgress) -> ScheduledEngine:
        while not shared.loading.acquire(timeout=_LOOK_S):
            if not on_progress(shared.share):
                raise LoadCancelled("Loading was given up.")
        try:
            if shared.engine is None:
                shared.engine = self._load(shared, settings, on_progress)
            elif not on_progress(1.0):
                raise LoadCancelled("Loading was given up.")
            return shared.engine
        finally:
            shared.loading.release()

    def _load(self, shared: _Shared, settings: Settings, on_progress: OnProgress) -> ScheduledEngine:
        if (ends := self._record.ends(shared.key)) >= MOST_ENDS:
            raise ModelUnusable(
                f"The model {shared.path} ended the engine's process {ends} times in a row: change the model."
            )
        self._free_unused()

        def progress(share: float) -> bool:
            shared.share = share
            return on_progress(share)

        self._record.begin(shared.key)
        try:
            engine = engines.load(settings, progress, gate=self._gate)
        finally:
            self._record.finish(shared.key)
        assert isinstance(engine, ScheduledEngine)
        with self._lock:
            self._of[engine] = shared
            self.loads += 1
        return engine

    def _release(self, shared: _Shared) -> None:
        with self._lock:
            shared.users -= 1
            if shared.users:
                return
            is_kept = shared.engine is not None and not shared.is_broken
            if is_kept:
                shared.timer = threading.Timer(self._idle_s, self._free, (shared,))
                shared.timer.daemon = True
                shared.timer.start()
        if not is_kept:
            self._free(shared)

    def _set_apart(self, shared: _Shared) -> None:
        with self._lock:
            shared.is_broken = True
            if self._shared.get(shared.key) is shared:
                del self._shared[shared.key]

    def _free_unused(self) -> None:
        for shared in list(self._shared.values()):
            self._free(shared)

    def _free(self, shared: _Shared) -> None:
        """Frees an engine unless somebody uses it."""
        with self._lock:
            if shared.users:
                return
            if self._shared.get(shared.key) is shared:
                del self._shared[shared.key]
            if shared.timer is not None:
                shared.timer.cancel()
            engine, shared.engine = shared.engine, None
        if engine is not None:
            engine.close()
            with self._lock:
                self._of.pop(engine, None)


def _key(settings: Settings) -> str:
    """Returns a checksum of what an engine depends on, and of the ages of the model's and the adapter's files."""
    values = settings.model_dump(mode="json", include=set(LOADED_BY - {"allow_plain_http", "share_model"}))
    for name in [name for name in ("model", "adapter") if values[name]]:
        with suppress(OSError):
            found = Path(values[name]).stat()
            values[f"age of {name}"] = [found.st_mtime_ns, found.st_size]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
