"""Owns one engine of a session: loads it, reports progress, restarts it after a failure, and unloads it when it is
idle."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from codegemma_lsp import engines
from codegemma_lsp.engines.protocol import (
    Engine,
    EngineError,
    EngineFailed,
    EngineUnavailable,
    LoadCancelled,
    ModelNotFound,
    ModelUnusable,
    OnFailure,
    OnProgress,
    ServerFailed,
    SharedProcessEnded,
)
from codegemma_lsp.engines.selection import LOADED_BY, Selection, Selector
from codegemma_lsp.models import BUNDLED, Choice, is_url
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

LoadEngine: TypeAlias = Callable[[Settings, OnProgress, OnFailure], Engine]
"""Loads an engine, in a thread, as ``engines.load`` does."""

_RESTARTS = 3
"""The number of consecutive restarts of a failed engine after which it stays unloaded until the settings change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the user is shown. ``kind`` is Normal, Warning, Error or Inactive. ``loading`` is a share from 0 to 1, or
    None."""

    message: str
    kind: str = "Normal"
    busy: bool = False
    loading: float | None = None


_LOOK_S = 1.0
"""The number of seconds between two looks at a model that could not be loaded."""
_LOOK_AT_SERVER_S = 10.0
"""The same for a model of a server."""


class EngineManager:
    """The owner of one engine, on the event loop except for ``close_now``.

    ``publish`` receives each change of status, and ``on_loaded`` is called after each load. ``load`` is called with the
    settings of the model that ``selector`` chose.
    """

    def __init__(
        self,
        selector: Selector,
        publish: Callable[[Status], None],
        load: LoadEngine | None = None,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self._selector, self._publish, self._on_loaded = selector, publish, on_loaded
        self._load_engine = load or (lambda settings, on_progress, _: engines.load(settings, on_progress))
        self.engine: Engine | None = None
        self.choice: Choice | None = None
        self.status = Status(message="Starting", kind="Inactive")
        self.loads = 0
        self._lock = asyncio.Lock()
        self._settings: Settings | None = None
        self._loaded: dict[str, Any] | None = None
        self._given_up = threading.Event()
        self._closed = False
        self._failures = 0
        self._leases = 0
        self._unload_timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, settings: Settings) -> None:
        """Loads the model of the settings, unless it is loaded, and cancels the running load of another model.

        Never raises: a failure becomes a status, and the next call tries again.
        """
        if self._closed:
            return
        if not self._is_wanted(settings):
            self._failures = 0
            self._given_up.set()
        self._settings = settings
        self._stop_retrying()
        # The load is a task of its own, so that the manager keeps the model even if the caller is cancelled.
        await asyncio.shield(self._spawn(settings))

    def _is_wanted(self, settings: Settings) -> bool:
        """Returns whether these are still the settings of the latest ``load``, as far as an engine depends on them."""
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
            except EngineFailed as error:
                self._load_again(error)
            except Exception as error:
                await self._close()
                self._give_up(Status(message=_sentence(error), kind="Error"))

    async def _load(self, selection: Selection, given_up: threading.Event) -> None:
        self.loads += 1
        self.choice = selection.choice
        self._set(Status(message=f"Loading {selection.choice.model}", kind="Inactive", busy=True, loading=0.0))
        loop, number = asyncio.get_running_loop(), self.loads
        failures: list[EngineFailed] = []

        def on_failure(error: EngineFailed) -> None:
            failures.append(error)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._on_end, number, error)

        progress = self._progress(loop, given_up)
        self.engine = await asyncio.to_thread(self._load_in_thread, selection.settings, progress, on_failure, given_up)
        if failures:  # before anybody could be told which engine it was
            await self._close()
            raise failures[0]
        self._set(self._ready(self.engine))
        self._on_loaded()

    def _load_in_thread(
        self, settings: Settings, progress: OnProgress, on_failure: OnFailure, given_up: threading.Event
    ) -> Engine:
        """Returns the loaded engine, or closes it at once if loading was cancelled meanwhile."""
        engine = self._load_engine(settings, progress, on_failure)
        if given_up.is_set():
            engine.close()
            raise LoadCancelled("Loading was given up.")
        return engine

    def _progress(self, loop: asyncio.AbstractEventLoop, given_up: threading.Event) -> OnProgress:
        """Returns a callback that passes progress on from the loading thread, at most once for each percent."""
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
            self._set(Status(message=self.status.message, kind="Inactive", busy=True, loading=share))

    async def settled(self) -> None:
        """Waits while a model is loaded or unloaded."""
        if self._lock.locked():
            async with self._lock:
                pass

    @asynccontextmanager
    async def lease(self, settings: Settings, idle_minutes: float = 0.0) -> AsyncIterator[Engine]:
        """Yields the engine, and loads it first if necessary. After the last lease, the model stays in memory for
        ``idle_minutes``, or permanently if that is 0. Raises ``EngineUnavailable``."""
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
        """Yields the loaded engine. An ``EngineFailed`` raised within the block restarts it, and a ``ServerFailed``
        becomes a warning. Raises ``EngineUnavailable``."""
        engine = self.engine
        if engine is None:
            changing = self.status.loading is not None
            raise EngineUnavailable("The model is being changed; ask again." if changing else self.status.message)
        try:
            yield engine
        except EngineFailed as error:
            self._on_failure(engine, error)
            raise
        except (ModelNotFound, ModelUnusable, ServerFailed) as error:
            self._set(Status(message=str(error), kind="Warning"))
            raise
        self._on_success()

    def _on_success(self) -> None:
        self._failures = 0
        if self.engine is not None and self.status.kind != "Normal":
            self._set(self._ready(self.engine))

    def _on_end(self, load: int, error: EngineFailed) -> None:
        """Takes note that the engine of a load has failed while nobody asked it anything."""
        if load == self.loads and self.engine is not None and not self._closed:
            self._on_failure(self.engine, error)

    def _on_failure(self, engine: Engine, error: EngineFailed) -> None:
        if self.engine is not engine:
            return
        self.engine, self._loaded = None, None
        threading.Thread(target=engine.close, daemon=True).start()
        self._load_again(error)

    def _load_again(self, error: EngineFailed) -> None:
        """Loads the model again after a failure, unless it has failed too often in a row. The end of a shared process
        may be the fault of another window's model, so the process itself refuses one that ends it too often."""
        if not isinstance(error, SharedProcessEnded):
            self._failures += 1
        if self._failures > _RESTARTS:
            message = f"{error} It broke {self._failures} times in a row: change the model."
            self._give_up(Status(message=message, kind="Error"))
            return
        self._set(Status(message=str(error), kind="Warning"))
        if self._settings is not None:
            self._spawn(self._settings)

    def _give_up(self, status: Status) -> None:
        """Shows an error, and loads the model as soon as its file is another: a download may have ended."""
        self._set(status)
        self._stop_retrying()
        if self._settings is not None and not self._closed:
            self._retry = asyncio.create_task(self._load_when_changed(self._settings))

    def _stop_retrying(self) -> None:
        if self._retry is not None and self._retry is not asyncio.current_task():
            self._retry.cancel()
        self._retry = None

    async def _load_when_changed(self, settings: Settings) -> None:
        """Loads the model after its file has changed, and has stayed as it is between two looks, or when its server is
        there, but not at once."""
        failed = last = await asyncio.to_thread(self._look, settings)
        if isinstance(failed, engines.Found):
            await asyncio.sleep(_LOOK_AT_SERVER_S)
        while not _is_better(now := await asyncio.to_thread(self._look, settings), failed, last):
            last = now
            await asyncio.sleep(_LOOK_AT_SERVER_S if isinstance(now, engines.Found) else _LOOK_S)
        self._failures = 0
        await self.load(settings)

    def _look(self, settings: Settings) -> object:
        """Returns a value that changes with the file that the settings mean, or with what the server says."""
        try:
            selected = self._selector.select(settings).settings
            if is_url(selected.model):
                return engines.find(selected)
            path = selected.model
            found = Path(path).stat()
        except (EngineError, OSError) as error:
            return str(error)
        return path, found.st_mtime_ns, found.st_size, found.st_ino

    def _unload_if_idle(self) -> None:
        if not self._leases and self.engine is not None:
            task = asyncio.create_task(self._unload())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _unload(self) -> None:
        """Frees the model. A ``load`` that is called meanwhile loads it again."""
        self._settings = None
        async with self._lock:
            if self._settings is None:
                await self._close()
            if self._settings is None:
                self._set(Status(message="Model unloaded", kind="Inactive"))

    async def shut_down(self) -> None:
        """Cancels a running load, and frees the model."""
        self._closed = True
        self._given_up.set()
        self._settings = None
        self._stop_retrying()
        if self._unload_timer is not None:
            self._unload_timer.cancel()
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        engine, self.engine, self._loaded = self.engine, None, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def close_now(self) -> None:
        """Does what ``shut_down`` does when no event loop runs any more."""
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
        return Status(message=f"Ready with {name}{f'; {better}' if better else ''}")


def _is_better(now: object, failed: object, last: object) -> bool:
    """Returns whether to load a model again, from the looks at it now, after the failure, and before."""
    return now.is_there if isinstance(now, engines.Found) else now != failed and now == last


def _sentence(error: Exception) -> str:
    if isinstance(error, EngineError):
        return str(error)
    log.error("loading failed: %s", type(error).__name__)
    log.debug("details", exc_info=error)
    return f"The model could not be loaded ({error}); see the server's log."
