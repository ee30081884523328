"""The completions of a session: which one runs, what is kept of each document, and when the model is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from codegemma_lsp.completion import (
    AdaptiveDebounce,
    Completer,
    DocumentState,
    Origin,
    Outcome,
    Query,
    alternatives,
    lookup,
    may_join,
)
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine, EngineError
from codegemma_lsp.session.engine_manager import EngineManager
from codegemma_lsp.session.prefetcher import Prefetcher
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)


class Completions:
    """Runs on the event loop, except for what it gives to its planning thread. At most one completion runs for each
    document and method."""

    def __init__(self, manager: EngineManager) -> None:
        self._manager = manager
        self._states: dict[str, DocumentState] = {}
        self._planner = ThreadPoolExecutor(1, "codegemma-plan")
        """Parses, builds prompts and cleans up, one request after the other, so that the event loop never waits."""
        self.prefetcher = Prefetcher()
        self.debounce = AdaptiveDebounce()
        self._running: dict[tuple[str, str], asyncio.Task[Outcome]] = {}
        self._awaiting_model: dict[str, tuple[Query, bool]] = {}

    def open(self, document: Document) -> None:
        """Begins to keep state for a document."""
        self._states[document.uri] = DocumentState()
        # In a long file the line index takes long for the event loop; so it is there before the first change.
        self._planner.submit(lambda: document.starts)

    def close(self, uri: str) -> None:
        """Ends what runs for a document, and drops what was kept of it."""
        self._states.pop(uri, None)
        self._awaiting_model.pop(uri, None)
        self.prefetcher.stop(uri)
        for key in [key for key in self._running if key[0] == uri]:
            self._supersede(key)

    def forget_answers(self) -> None:
        """Drops answers that another model, or other settings, would not give."""
        for uri, state in self._states.items():
            self.prefetcher.stop(uri)
            self._states[uri] = state.without_answers()

    def warm_up(self, query: Query, settings: Settings, *, opened: bool) -> None:
        """Reads the prompt that a request here would need, now or as soon as a model is loaded. Of a file that was just
        ``opened``, reads only what requests anywhere near would share."""
        uri, engine = query.document.uri, self._manager.engine
        self._awaiting_model.pop(uri, None)
        if not settings.warm_up or why_off(query, settings):
            return
        if engine is None:
            self._awaiting_model[uri] = (query, opened)
        else:
            self.prefetcher.warm_up(query, self._states[uri], self._completer(engine, settings), prefix_only=opened)

    def on_loaded(self, settings: Settings) -> None:
        """Another engine answers from now on."""
        self.forget_answers()
        for query, opened in list(self._awaiting_model.values()):
            self.warm_up(query, settings, opened=opened)

    async def complete(self, query: Query, settings: Settings, method: str = "") -> Outcome:
        """One completion. A newer one for the same document and ``method`` ends it with an empty outcome; being
        cancelled ends it with ``CancelledError``. Never raises anything else."""
        key = (query.document.uri, method)
        self._supersede(key)
        reason = why_off(query, settings) or ("" if self._manager.engine is not None else self._manager.status.message)
        if reason:
            return Outcome(None, Origin.NONE, reason=reason)
        state = self._states.get(query.document.uri) or DocumentState()
        task = asyncio.create_task(self._complete(query, state, settings))
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

    async def _complete(self, query: Query, state: DocumentState, settings: Settings) -> Outcome:
        if not query.explicit:
            self.debounce.keystroke((query.document.uri, query.document.version), 1000 * time.perf_counter())
        try:
            outcome = lookup(query, state) or await self._ask(query, state, settings)
        except EngineError as error:
            log.warning("a completion failed: %s", error)
            return Outcome(None, Origin.NONE, reason=str(error))
        except Exception as error:
            log.error("a completion failed: %s", type(error).__name__)
            log.debug("details", exc_info=error)
            return Outcome(None, Origin.NONE, reason=f"it failed ({type(error).__name__})")
        engine = self._manager.engine
        if (first := outcome.suggestion) is None or engine is None:
            return outcome
        completer = self._completer(engine, settings)
        if query.explicit and settings.alternatives:
            outcome = await _with_alternatives(query, outcome, state, completer)
        if settings.prefetch:
            self.prefetcher.prefetch_after(query, first, state, completer)
        return outcome

    def _completer(self, engine: Engine, settings: Settings) -> Completer:
        return Completer(engine, settings, self._planner)

    async def _ask(self, query: Query, state: DocumentState, settings: Settings) -> Outcome:
        if not query.explicit and not may_join(query, state, settings):
            wait_ms = self.debounce.wait_ms(settings.debounce_ms)
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                if (known := lookup(query, state)) is not None:
                    return known
        began = time.perf_counter()
        with self._manager.using() as engine:
            try:
                outcome = await self._completer(engine, settings).ask(query, state)
            except asyncio.CancelledError:
                self.debounce.cancelled(1000 * (time.perf_counter() - began))
                raise
        if outcome.origin is Origin.MODEL:
            self.debounce.answered(outcome.ms["total"])
        return outcome

    def _supersede(self, key: tuple[str, str]) -> None:
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()

    def shut_down(self) -> None:
        """Ends what runs."""
        for key in list(self._running):
            self._supersede(key)
        for uri in self._states:
            self.prefetcher.stop(uri)

    def close_planner(self) -> None:
        """Waits for nothing; the model must be closed before."""
        self._planner.shutdown(wait=False, cancel_futures=True)


async def _with_alternatives(query: Query, first: Outcome, state: DocumentState, completer: Completer) -> Outcome:
    try:
        return replace(first, others=await alternatives(query, first, state, completer))
    except EngineError as error:
        log.warning("no alternatives: %s", error)
        return first


def why_off(query: Query, settings: Settings) -> str:
    """Why the settings allow no suggestion here; empty where they do."""
    if not settings.enabled:
        return "suggestions are off"
    language = query.document.language
    return f"suggestions are off for {language}" if language in settings.disabled_languages else ""
