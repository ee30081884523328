"""Loads the engine, says how that goes, starts it again when it breaks, and lets it go."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.engines.base import Engine, EngineError, EngineFailed, LoadCancelled, ModelNotFound, OnProgress
from codegemma_lsp.engines.order import Order
from codegemma_lsp.models import BUNDLED, Choice, ModelError, completion_model
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_ENGINE_FIELDS = {
    "model",
    "infill_format",
    "context_tokens",
    "slots",
    "batch_tokens",
    "threads",
    "batch_threads",
    "gpu_layers",
    "kv_cache",
}
_RESTARTS = 3
"""Times in a row that a broken engine is started again before it is left alone until the settings change."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the user is told. ``kind`` is Normal, Warning, Error or Inactive; ``loading`` a share from 0 to 1."""

    message: str
    kind: str = "Normal"
    busy: bool = False
    loading: float | None = None


class Keeper:
    """One engine of a session. Runs on the event loop; ``publish`` is told of each change of status. Engines of one
    session share an ``order``."""

    def __init__(self, publish: Callable[[Status], None], order: Order | None = None) -> None:
        self._order = order
        self.engine: Engine | None = None
        self.status = Status("Starting", "Inactive")
        self.loads = 0
        self._better = ""
        self._publish = publish
        self._lock = asyncio.Lock()
        self._wanted: dict[str, Any] | None = None
        self._loaded: dict[str, Any] | None = None
        self._given_up = threading.Event()
        self._failures = 0
        self._restart: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, settings: Settings) -> None:
        """Loads the model that the settings name, unless it is the one that is loaded; a load of another one that is
        under way is given up. Never raises: a failure is a status, and the next call tries again."""
        choice = _choose(settings)
        wanted = settings.model_dump(include=_ENGINE_FIELDS)
        if isinstance(choice, Choice):
            wanted["model"] = str(choice.path)
        if wanted != self._wanted:
            self._failures = 0
            self._given_up.set()
        self._wanted = wanted
        # A task of its own: whoever waits for it may be cancelled, and the model would belong to nobody.
        task = asyncio.create_task(self._load_wanted(wanted, settings, choice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _load_wanted(self, wanted: dict[str, Any], settings: Settings, choice: Choice | EngineError) -> None:
        async with self._lock:
            if wanted != self._wanted or wanted == self._loaded:
                return
            await self._close()
            self._given_up = given_up = threading.Event()
            self.loads += 1
            try:
                if isinstance(choice, EngineError):
                    raise choice
                self._set(Status(f"Loading {choice.model}", "Inactive", busy=True, loading=0.0))
                chosen = settings.model_copy(update={"model": str(choice.path)})
                progress = self._progress(asyncio.get_running_loop(), given_up)
                self.engine = await asyncio.to_thread(self._load, chosen, progress, given_up)
            except LoadCancelled:
                return
            except EngineError as error:
                self._set(Status(str(error), "Error"))
            except Exception as error:
                log.error("loading failed: %s", type(error).__name__)
                log.debug("details", exc_info=error)
                self._set(Status(f"The model could not be loaded ({error}); see the server's log.", "Error"))
            else:
                self._loaded, self._better = wanted, choice.better
                self._set(self._ready(self.engine))

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

    def worked(self) -> None:
        """The engine has answered: all is well again."""
        self._failures = 0
        if self.engine is not None and self.status.kind != "Normal":
            self._set(self._ready(self.engine))

    def broke(
        self, engine: Engine, error: EngineFailed, settings: Settings, loaded: Callable[[], None] = lambda: None
    ) -> None:
        """Loads a broken engine again in the background, and then calls ``loaded``; after some times in a row it is let
        go."""
        if self.engine is not engine:
            return
        self.engine, self._loaded = None, None
        threading.Thread(target=engine.close, daemon=True).start()
        self._failures += 1
        if self._failures > _RESTARTS:
            self._set(Status(f"{error} It broke {self._failures} times in a row: change the model.", "Error"))
            return
        self._set(Status(str(error), "Warning"))
        self._restart = asyncio.create_task(self.load(settings))
        self._restart.add_done_callback(lambda _: loaded())

    def _load(self, settings: Settings, progress: OnProgress, given_up: threading.Event) -> Engine:
        """Loads in a thread. An engine that nobody wants any more once it is there is closed at once."""
        engine = engines.load(settings, progress, order=self._order)
        if given_up.is_set():
            engine.close()
            raise LoadCancelled("Loading was given up.")
        return engine

    async def let_go(self) -> None:
        """Frees the model; the next ``load`` loads it again, also one that is called meanwhile."""
        self._wanted = None
        async with self._lock:
            if self._wanted is None:
                await self._close()
            if self._wanted is None:
                self._set(Status("The model was let go", "Inactive"))

    async def shut_down(self) -> None:
        """Gives up a load that is under way, and frees the model."""
        self._given_up.set()
        self._wanted = None
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        engine, self.engine, self._loaded = self.engine, None, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def release(self) -> None:
        """``shut_down`` for where no event loop runs any more."""
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
        return Status(f"Ready with {name}{f'; {self._better}' if self._better else ''}")


def _choose(settings: Settings) -> Choice | EngineError:
    """The model that the settings mean on this machine, or why there is none. Paths must be whole: a relative one would
    be looked up where the server was started, which may be in a workspace."""
    try:
        choice = completion_model(settings.model, settings.context_tokens, settings.slots)
    except ModelError as error:
        return ModelNotFound(str(error))
    if not choice.path.is_absolute():
        return ModelNotFound(
            f"The setting model is {settings.model!r}; write the whole path of a GGUF file, or the name of a model."
        )
    return choice
