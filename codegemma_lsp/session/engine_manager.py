"""Owns one engine of a session: loads it, reports how that goes, restarts it after a failure, unloads it when idle."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import (
    Engine,
    EngineError,
    EngineFailed,
    EngineUnavailable,
    LoadCancelled,
    OnProgress,
)
from codegemma_lsp.engines.selection import LOADED_BY, Selection, Selector
from codegemma_lsp.models import BUNDLED, Choice
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_RESTARTS = 3
"""Consecutive restarts of a broken engine, after which it stays unloaded until the settings change."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the user is told. ``kind`` is Normal, Warning, Error or Inactive; ``loading`` a share from 0 to 1."""

    message: str
    kind: str = "Normal"
    busy: bool = False
    loading: float | None = None


class EngineManager:
    """Runs on the event loop, except for ``close_now``. ``publish`` receives each change of status, ``on_loaded`` is
    called after each load. Engines that share a gate make way for what is more urgent on each other."""

    def __init__(
        self,
        selector: Selector,
        publish: Callable[[Status], None],
        gate: PriorityGate | None = None,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._selector, self._publish, self._gate, self._on_loaded = selector, publish, gate, on_loaded
        self.engine: Engine | None = None
        self.choice: Choice | None = None
        self.status = Status("Starting", "Inactive")
        self.loads = 0
        self._lock = asyncio.Lock()
        self._settings: Settings | None = None
        self._loaded: dict[str, Any] | None = None
        self._given_up = threading.Event()
        self._closed = False
        self._failures = 0
        self._leases = 0
        self._unload_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, settings: Settings) -> None:
        """Loads the model that the settings name, unless it is loaded; gives up a load of another one that is under
        way. Never raises: a failure is a status, and the next call tries again."""
        if self._closed:
            return
        if not self._is_wanted(settings):
            self._failures = 0
            self._given_up.set()
        self._settings = settings
        # A task of its own: if the caller is cancelled, the model must still belong to the manager.
        await asyncio.shield(self._spawn(settings))

    def _is_wanted(self, settings: Settings) -> bool:
        """Whether these are still the settings of the latest ``load``, as far as an engine depends on them."""
        fields = set(self._selector.depends_on)
        return self._settings is not None and (
            settings.model_dump(include=fields) == self._settings.model_dump(include=fields)
        )

    def _spawn(self, settings: Settings) -> asyncio.Task[None]:
        task = asyncio.create_task(self._load_unless_outdated(settings))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _load_unless_outdated(self, settings: Settings) -> None:
        async with self._lock:
            if not self._is_wanted(settings):
                return
            self._given_up = given_up = threading.Event()
            try:
                selection = await asyncio.to_thread(self._selector.select, settings)
                wanted = selection.settings.model_dump(include=set(LOADED_BY))
                if wanted == self._loaded:
                    return
                await self._close()
                await self._load(selection, given_up)
                self._loaded = wanted
            except LoadCancelled:
                return
            except Exception as error:
                await self._close()
                self._set(Status(_sentence(error), "Error"))

    async def _load(self, selection: Selection, given_up: threading.Event) -> None:
        self.loads += 1
        self.choice = selection.choice
        self._set(Status(f"Loading {selection.choice.model}", "Inactive", busy=True, loading=0.0))
        progress = self._progress(asyncio.get_running_loop(), given_up)
        self.engine = await asyncio.to_thread(self._load_in_thread, selection.settings, progress, given_up)
        self._set(self._ready(self.engine))
        self._on_loaded()

    def _load_in_thread(self, settings: Settings, progress: OnProgress, given_up: threading.Event) -> Engine:
        """Closes at once an engine that nobody wants any more when it is there."""
        engine = engines.load(settings, progress, gate=self._gate)
        if given_up.is_set():
            engine.close()
            raise LoadCancelled("Loading was given up.")
        return engine

    def _progress(self, loop: asyncio.AbstractEventLoop, given_up: threading.Event) -> OnProgress:
        """Passes progress from the loading thread on, at most once a percent."""
        last = 0

        def on_progress(share: float) -> bool:
            nonlocal last
            if int(100 * share) > last and not given_up.is_set():
                last = int(100 * share)
                loop.call_soon_threadsafe(self._set_progress, share)
            return not given_up.is_set()

        return on_progress

    def _set_progress(self, share: float) -> None:
        if self.status.loading is not None:
            self._set(Status(self.status.message, "Inactive", busy=True, loading=share))

    @asynccontextmanager
    async def lease(self, settings: Settings, idle_minutes: float = 0.0) -> AsyncIterator[Engine]:
        """The engine, loaded first where it is not. When the last lease ends, the model stays in memory for
        ``idle_minutes``, or for good if that is 0. Raises ``EngineUnavailable``."""
        if self._closed:
            raise EngineUnavailable("The server is shutting down.")
        self._leases += 1
        if self._unload_timer is not None:
            self._unload_timer.cancel()
        try:
            await self.load(settings)
            with self.using() as engine:
                yield engine
        finally:
            self._leases -= 1
            if not self._leases and idle_minutes:
                loop = asyncio.get_running_loop()
                self._unload_timer = loop.call_later(60 * idle_minutes, self._unload_if_idle)

    @contextmanager
    def using(self) -> Iterator[Engine]:
        """The engine that is loaded. An ``EngineFailed`` raised within restarts it. Raises ``EngineUnavailable``."""
        engine = self.engine
        if engine is None:
            changing = self.status.loading is not None
            raise EngineUnavailable("The model is being changed; ask again." if changing else self.status.message)
        try:
            yield engine
        except EngineFailed as error:
            self._on_failure(engine, error)
            raise
        self._on_success()

    def _on_success(self) -> None:
        self._failures = 0
        if self.engine is not None and self.status.kind != "Normal":
            self._set(self._ready(self.engine))

    def _on_failure(self, engine: Engine, error: EngineFailed) -> None:
        if self.engine is not engine:
            return
        self.engine, self._loaded = None, None
        threading.Thread(target=engine.close, daemon=True).start()
        self._failures += 1
        if self._failures > _RESTARTS:
            self._set(Status(f"{error} It broke {self._failures} times in a row: change the model.", "Error"))
            return
        self._set(Status(str(error), "Warning"))
        if self._settings is not None:
            self._spawn(self._settings)

    def _unload_if_idle(self) -> None:
        if not self._leases and self.engine is not None:
            task = asyncio.create_task(self._unload())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _unload(self) -> None:
        """Frees the model; a ``load`` that is called meanwhile loads it again."""
        self._settings = None
        async with self._lock:
            if self._settings is None:
                await self._close()
            if self._settings is None:
                self._set(Status("Model unloaded", "Inactive"))

    async def shut_down(self) -> None:
        """Gives up a load that is under way, and frees the model."""
        self._closed = True
        self._given_up.set()
        self._settings = None
        if self._unload_timer is not None:
            self._unload_timer.cancel()
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        engine, self.engine, self._loaded = self.engine, None, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def close_now(self) -> None:
        """``shut_down`` for when no event loop runs any more."""
        self._given_up.set()
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()

    def _set(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._publish(status)

    def _ready(self, engine: Engine) -> Status:
        name = f"{BUNDLED}, the small bundled model" if engine.name == BUNDLED else engine.name
        better = self.choice.better if self.choice is not None else ""
        return Status(f"Ready with {name}{f'; {better}' if better else ''}")


def _sentence(error: Exception) -> str:
    if isinstance(error, EngineError):
        return str(error)
    log.error("loading failed: %s", type(error).__name__)
    log.debug("details", exc_info=error)
    return f"The model could not be loaded ({error}); see the server's log."
