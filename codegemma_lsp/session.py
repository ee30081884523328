"""The server's only mutable state: open documents, what is kept of each, the settings and the engine."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from codegemma_lsp.completion import Memory, Origin, Outcome, Pace, Query, alternatives, ask, in_hand, may_join
from codegemma_lsp.document import Document, Encoding
from codegemma_lsp.engines.base import Engine, EngineError, EngineFailed
from codegemma_lsp.engines.order import Order
from codegemma_lsp.keeper import Keeper, Status
from codegemma_lsp.layers import settings_from
from codegemma_lsp.lookahead import LookAhead
from codegemma_lsp.settings import Settings, section

log = logging.getLogger(__name__)


class Session:
    """One editor's session. Runs on the event loop, but for what it gives to its planning thread; ``publish`` is told
    of each change of status."""

    def __init__(self, publish: Callable[[Status], None]) -> None:
        self.documents: dict[str, Document] = {}
        self.settings = Settings()
        self.encoding = Encoding.UTF16
        self.initial: dict[str, Any] = {}
        self.pending_problems: tuple[str, ...] = ()
        self._said: tuple[str, ...] = ()
        self.order = Order()
        self.keeper = Keeper(publish, self.order)
        self.shown = self.accepted = self.partially_accepted = 0
        self._memories: dict[str, Memory] = {}
        self._planner = ThreadPoolExecutor(1, "codegemma-plan")
        """Parses, builds prompts and cleans up, one request after the other, so that the event loop never waits."""
        self._ahead = LookAhead(self._planner)
        self._resting: dict[str, tuple[Query, bool]] = {}
        self._answered_by: Engine | None = None
        self._pace = Pace()
        self._running: dict[tuple[str, str], asyncio.Task[Outcome]] = {}

    def configure(self, raw: object) -> tuple[str, ...]:
        """Takes settings over those of initialization, of the environment and of the user's file. Returns a sentence
        for each that was wrong; of environment and file only what was not said before. A null takes back what
        initialization said."""
        settings, problems, below = settings_from({**self.initial, **section(raw)})
        problems, self._said = (*problems, *(problem for problem in below if problem not in self._said)), below
        if settings != self.settings:
            self.settings = settings
            self._forget_answers()
        return problems

    async def load(self) -> None:
        """Loads the model of the current settings, unless it is loaded. Never raises: a failure is a status."""
        await self.keeper.load(self.settings)
        self._loaded()

    def _loaded(self) -> None:
        engine = self.keeper.engine
        if engine is not None and engine is not self._answered_by:
            self._answered_by = engine
            self._forget_answers()
            for query, opened in list(self._resting.values()):
                self.rest(query, opened=opened)

    def _forget_answers(self) -> None:
        for uri, memory in self._memories.items():
            self._ahead.stop(uri)
            self._memories[uri] = memory.without_answers()

    def open(self, document: Document) -> None:
        self.documents[document.uri] = document
        self._memories[document.uri] = Memory()
        # In a long file the line index takes long for the event loop; so it is there before the first change.
        self._planner.submit(lambda: document.starts)

    def change(self, document: Document) -> None:
        self.documents[document.uri] = document

    def rest(self, query: Query, *, opened: bool = False) -> None:
        """The cursor rests here: what a request would make the model read is read now, or once it is loaded. Of a file
        that was just ``opened``, only what requests anywhere near would read."""
        uri, engine = query.document.uri, self.keeper.engine
        self._resting.pop(uri, None)
        if query.document is not self.documents.get(uri) or not self.settings.warm_up or self._is_off(query):
            return
        if engine is None:
            self._resting[uri] = (query, opened)
        else:
            self._ahead.warm(query, self._memories[uri], engine, self.settings, prefix_only=opened)

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)
        self._memories.pop(uri, None)
        self._resting.pop(uri, None)
        self._ahead.stop(uri)
        for key in [key for key in self._running if key[0] == uri]:
            self._supersede(key)

    async def complete(self, query: Query, method: str = "") -> Outcome:
        """One completion. A newer one for the same document and ``method`` ends it with an empty outcome; being
        cancelled ends it with ``CancelledError``. Never raises anything else."""
        key = (query.document.uri, method)
        self._supersede(key)
        reason = self._why_not(query)
        if reason:
            return Outcome(None, Origin.NONE, reason=reason)
        memory = self._memories.get(query.document.uri) or Memory()
        task = asyncio.create_task(self._complete(query, memory))
        self._running[key] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return Outcome(None, Origin.NONE, reason="a newer request took its place")
            task.cancel()
            raise
        finally:
            if self._running.get(key) is task:
                del self._running[key]

    async def _complete(self, query: Query, memory: Memory) -> Outcome:
        if not query.explicit:
            self._pace.keystroke((query.document.uri, query.document.version), 1000 * time.perf_counter())
        try:
            outcome = in_hand(query, memory) or await self._ask(query, memory)
        except EngineError as error:
            log.warning("a completion failed: %s", error)
            return Outcome(None, Origin.NONE, reason=str(error))
        except Exception as error:
            log.error("a completion failed: %s", type(error).__name__)
            log.debug("details", exc_info=error)
            return Outcome(None, Origin.NONE, reason=f"it failed ({type(error).__name__})")
        engine = self.keeper.engine
        if (first := outcome.suggestion) is None or engine is None:
            return outcome
        if query.explicit and self.settings.alternatives:
            outcome = await self._with_others(query, outcome, memory, engine)
        if self.settings.prefetch:
            self._ahead.follow(query, first, memory, engine, self.settings)
        return outcome

    async def _with_others(self, query: Query, outcome: Outcome, memory: Memory, engine: Engine) -> Outcome:
        try:
            others = await alternatives(query, outcome, memory, engine, self.settings, self._planner)
        except EngineError as error:
            log.warning("no alternatives: %s", error)
            return outcome
        return replace(outcome, others=others)

    async def _ask(self, query: Query, memory: Memory) -> Outcome:
        if not query.explicit and not may_join(query, memory, self.settings):
            wait_ms = self._pace.wait_ms(self.settings.debounce_ms)
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                if (known := in_hand(query, memory)) is not None:
                    return known
        began = time.perf_counter()
        engine, settings = self.keeper.engine, self.settings
        if engine is None:
            return Outcome(None, Origin.NONE, reason=self.keeper.status.message)
        try:
            outcome = await ask(query, memory, engine, settings, self._planner)
        except asyncio.CancelledError:
            self._pace.cancelled(1000 * (time.perf_counter() - began))
            raise
        except EngineFailed as error:
            self.keeper.broke(engine, error, settings, self._loaded)
            raise
        if outcome.origin is Origin.MODEL:
            self._pace.answered(outcome.ms["total"])
            self.keeper.worked()
        return outcome

    def _why_not(self, query: Query) -> str:
        return self._is_off(query) or ("" if self.keeper.engine is not None else self.keeper.status.message)

    def _is_off(self, query: Query) -> str:
        """Why the settings allow no suggestion here; empty where they do."""
        if not self.settings.enabled:
            return "suggestions are off"
        language = query.document.language
        return f"suggestions are off for {language}" if language in self.settings.disabled_languages else ""

    def _supersede(self, key: tuple[str, str]) -> None:
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()

    def state(self) -> dict[str, Any]:
        """What the server holds, for support: by the checksums an editor can tell whether its text is ours."""
        status, engine = self.keeper.status, self.keeper.engine
        return {
            "status": {"message": status.message, "kind": status.kind, "busy": status.busy},
            "process": os.getpid(),
            "engine": engine_state(engine) if engine is not None else None,
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
        for key in list(self._running):
            self._supersede(key)
        for uri in list(self._memories):
            self._ahead.stop(uri)
        await self.keeper.shut_down()
        self._planner.shutdown(wait=False, cancel_futures=True)


def engine_state(engine: Engine) -> dict[str, Any]:
    return {"name": engine.name, "threads": engine.threads, "idle": engine.idle, "usage": asdict(engine.usage)}
