"""The server's only mutable state: open documents, what is kept of each, the settings and the engine."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.completion import Memory, Origin, Outcome, Query, complete
from codegemma_lsp.document import Document, Encoding
from codegemma_lsp.engines.base import Engine, EngineError, EngineFailed
from codegemma_lsp.models import BUNDLED
from codegemma_lsp.settings import Settings, parse, section

log = logging.getLogger(__name__)

_ENGINE_FIELDS = frozenset({"model", "context_tokens", "slots", "batch_tokens", "threads", "gpu_layers"})
_RESTARTS = 3
"""Times in a row that a broken engine is started again before it is left alone until the settings change."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the user is told. ``kind`` is Normal, Warning, Error or Inactive; ``loading`` a share from 0 to 1."""

    message: str
    kind: str = "Normal"
    busy: bool = False
    loading: float | None = None


class Session:
    """One editor's session. Everything runs on the event loop; ``publish`` is told of each change of status."""

    def __init__(self, publish: Callable[[Status], None]) -> None:
        self.documents: dict[str, Document] = {}
        self.settings = Settings()
        self.encoding = Encoding.UTF16
        self.initial: dict[str, Any] = {}
        self.pending_problems: tuple[str, ...] = ()
        self.engine: Engine | None = None
        self.status = Status("starting", "Inactive")
        self.loads = self.shown = self.accepted = self.partially_accepted = 0
        self._publish = publish
        self._memories: dict[str, Memory] = {}
        self._running: dict[str, asyncio.Task[Outcome]] = {}
        self._loading = asyncio.Lock()
        self._loaded_for: dict[str, Any] | None = None
        self._failures = 0

    def configure(self, raw: object) -> tuple[str, ...]:
        """Takes settings over those of initialization; returns a sentence for each that was wrong."""
        given = {key: value for key, value in section(raw).items() if value is not None}
        self.settings, problems = parse({**self.initial, **given})
        return problems

    def open(self, document: Document) -> None:
        self.documents[document.uri] = document
        self._memories[document.uri] = Memory()

    def change(self, document: Document) -> None:
        self.documents[document.uri] = document

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)
        self._memories.pop(uri, None)
        self._supersede(uri)

    async def load(self) -> None:
        """Loads the model of the current settings, unless it is the one that is loaded. Never raises: a failure is a
        status, and the session goes on without suggestions."""
        async with self._loading:
            wanted = self.settings.model_dump(include=set(_ENGINE_FIELDS))
            if wanted == self._loaded_for:
                return
            self._loaded_for = wanted
            await self._release_engine()
            self.loads += 1
            self._set_status(Status(f"Loading {self.settings.model}", "Inactive", busy=True, loading=0.0))
            loop = asyncio.get_running_loop()
            try:
                self.engine = await asyncio.to_thread(engines.load, self.settings, self._progress(loop))
            except EngineError as error:
                self._set_status(Status(str(error), "Error"))
            except Exception as error:
                log.exception("loading failed")
                self._set_status(Status(f"The model could not be loaded ({error}); see the server's log.", "Error"))
            else:
                self._set_status(ready(self.engine, self.settings))

    def _progress(self, loop: asyncio.AbstractEventLoop) -> Callable[[float], None]:
        """Passes progress from the loading thread on, at most once a percent."""
        last = -1

        def on_progress(share: float) -> None:
            nonlocal last
            if int(100 * share) > last:
                last = int(100 * share)
                loop.call_soon_threadsafe(self._set_progress, share)

        return on_progress

    def _set_progress(self, share: float) -> None:
        if self.status.loading is not None:
            self._set_status(Status(self.status.message, "Inactive", busy=True, loading=share))

    async def complete(self, query: Query) -> Outcome:
        """One completion. A newer one for the same document ends it with an empty outcome; being cancelled ends it
        with ``CancelledError``. Never raises anything else."""
        uri = query.document.uri
        self._supersede(uri)
        reason = self._why_not(query)
        if reason:
            return Outcome(None, Origin.NONE, reason=reason)
        task = asyncio.create_task(self._complete(query, self._memories.setdefault(uri, Memory())))
        self._running[uri] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return Outcome(None, Origin.NONE, reason="a newer request took its place")
            task.cancel()
            raise
        finally:
            if self._running.get(uri) is task:
                del self._running[uri]

    async def _complete(self, query: Query, memory: Memory) -> Outcome:
        engine = self.engine
        assert engine is not None
        if self.settings.debounce_ms and not query.explicit:
            await asyncio.sleep(self.settings.debounce_ms / 1000)
        try:
            outcome = await complete(query, memory, engine, self.settings)
        except EngineFailed as error:
            self._restart(engine, error)
            return Outcome(None, Origin.NONE, reason=str(error))
        except EngineError as error:
            self._set_status(Status(str(error), "Error"))
            return Outcome(None, Origin.NONE, reason=str(error))
        except Exception as error:
            log.error("a completion failed: %s", type(error).__name__)
            log.debug("details", exc_info=error)
            return Outcome(None, Origin.NONE, reason=f"it failed ({type(error).__name__})")
        self._failures = 0
        return outcome

    def _restart(self, engine: Engine, error: EngineFailed) -> None:
        """Loads a broken engine again, in the background."""
        if self.engine is not engine:
            return
        self._failures += 1
        self._loaded_for = None
        self._set_status(Status(str(error), "Warning"))
        if self._failures <= _RESTARTS:
            self._restarting = asyncio.create_task(self.load())

    def _why_not(self, query: Query) -> str:
        if not self.settings.enabled:
            return "suggestions are off"
        if query.document.language in self.settings.disabled_languages:
            return f"suggestions are off for {query.document.language}"
        return "" if self.engine is not None else self.status.message

    def _supersede(self, uri: str) -> None:
        task = self._running.pop(uri, None)
        if task is not None:
            task.cancel()

    def state(self) -> dict[str, Any]:
        """What the server holds, for support: by the checksums an editor can tell whether its text is ours."""
        return {
            "status": {"message": self.status.message, "kind": self.status.kind, "busy": self.status.busy},
            "engine": self.engine.name if self.engine is not None else None,
            "counts": {
                "shown": self.shown,
                "accepted": self.accepted,
                "partiallyAccepted": self.partially_accepted,
            },
            "documents": [
                {
                    "uri": document.uri,
                    "version": document.version,
                    "sha256": hashlib.sha256(document.text.encode()).hexdigest(),
                }
                for document in self.documents.values()
            ],
        }

    async def shut_down(self) -> None:
        """Ends what runs and frees the model."""
        for uri in list(self._running):
            self._supersede(uri)
        async with self._loading:
            await self._release_engine()

    async def _release_engine(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def release(self) -> None:
        """Frees the model where no event loop runs any more."""
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()

    def _set_status(self, status: Status) -> None:
        self.status = status
        self._publish(status)


def ready(engine: Engine, settings: Settings) -> Status:
    if settings.model == BUNDLED:
        return Status(
            "Ready with nano, the small bundled model; for better suggestions set codegemma.model to the path of a"
            " CodeGemma 2B GGUF file."
        )
    return Status(f"Ready with {engine.name}")
