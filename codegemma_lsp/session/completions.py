"""The completions of a session: which request runs, what is kept of each document, and when the model is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from codegemma_lsp.completion import (
    AdaptiveDebounce,
    Completer,
    DocumentState,
    Explanation,
    Origin,
    Outcome,
    Planning,
    Query,
    Silence,
    Suggestion,
    alternatives,
    lookup,
    silence,
)
from codegemma_lsp.completion.stream import Stream
from codegemma_lsp.context import looks_secret_when_open
from codegemma_lsp.document import Change, Document
from codegemma_lsp.engines.protocol import Engine, EngineError, EngineUnavailable
from codegemma_lsp.session.engine_manager import EngineManager
from codegemma_lsp.session.moments import Moments
from codegemma_lsp.session.other_files import OtherFiles
from codegemma_lsp.session.prefetcher import Prefetcher
from codegemma_lsp.session.streams import Streams
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_AT_ONCE_S = 0.05
"""The number of seconds within which a whole answer is awaited, because its growth would not be noticed."""
_MOST_LEFT = 32
"""The number of closed documents for which the last cursor is kept."""
_BEFORE_THE_NEXT_KEY = 0.8
"""The share of the gap between two keys within which an answer is useful."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A suggestion that was shown, with more text at its end. ``suggestion.id`` is the id with which it was shown."""

    query: Query
    suggestion: Suggestion


OnGrowth: TypeAlias = Callable[[Growth], None]


@dataclass(frozen=True, slots=True)
class LeftDocument:
    """The last cursor in a closed document, in code points, and the planning for the next plan there."""

    offset: int
    planning: Planning


class Completions:
    """The completions of all documents, on the event loop and on a thread for planning.

    At most one request for each document and method waits for an answer, and each document has at most one stream.
    """

    def __init__(self, manager: EngineManager, other_files: OtherFiles) -> None:
        self._manager = manager
        self.other_files = other_files
        self._streams = Streams(self._on_published, self._on_finished)
        self._documents: dict[str, Document] = {}
        self._on_screen: dict[tuple[str, str], Growth] = {}
        """The shown suggestions, by document and method."""
        self._asked: dict[str, Query] = {}
        self._left: dict[str, LeftDocument] = {}
        """The closed documents. The one that was closed last is the last."""
        self._on_growth: OnGrowth | None = None
        self._states: dict[str, DocumentState] = {}
        self._planner = ThreadPoolExecutor(1, "codegemma-plan")
        """Parses, builds prompts and postprocesses, one request after the other, so that the event loop is not
        blocked."""
        self.prefetcher = Prefetcher()
        self.moments = Moments()
        self.debounce = AdaptiveDebounce()
        self._running: dict[tuple[str, str], asyncio.Task[Outcome]] = {}
        self._awaiting_model: dict[str, tuple[Query, bool]] = {}

    def show_growth(self, on_growth: OnGrowth) -> None:
        """Begins to report suggestions that grow. Such a client gets the first piece early, and then each further
        one."""
        self._on_growth, self._streams.pieces = on_growth, True

    def open(self, document: Document) -> None:
        """Begins to keep the state of a document."""
        self._streams.close(document.uri)
        self.moments.open(document)
        left = self._left.get(document.uri)
        self._states[document.uri] = DocumentState(left.planning if left is not None else Planning())
        self._documents[document.uri] = document
        # The line index of a long file takes too long for the event loop, so the planner makes it before the first
        # change.
        self._planner.submit(lambda: document.starts)

    def change(self, document: Document, changes: Sequence[Change] = ()) -> None:
        """Notes that a document was edited by ``changes``."""
        self._documents[document.uri] = document
        self.moments.changed(document, changes)
        self._streams.changed(document)

    def close(self, uri: str) -> None:
        """Ends what runs for a document, and drops what was kept of it, except for its last cursor."""
        self._streams.close(uri)
        self._keep_where_left(uri)
        self.other_files.forget(uri)
        self.moments.close(uri)
        self._states.pop(uri, None)
        self._documents.pop(uri, None)
        self._on_screen = {key: shown for key, shown in self._on_screen.items() if key[0] != uri}
        self._asked.pop(uri, None)
        self._awaiting_model.pop(uri, None)
        self.prefetcher.stop(uri)
        for key in [key for key in self._running if key[0] == uri]:
            self._supersede(key)

    def _keep_where_left(self, uri: str) -> None:
        state, asked = self._states.get(uri), self._asked.get(uri)
        if state is None or asked is None or state.planning.window is None:
            return
        self._left.pop(uri, None)
        self._left[uri] = LeftDocument(asked.offset, Planning(window=state.planning.window))
        while len(self._left) > _MOST_LEFT:
            del self._left[next(iter(self._left))]

    def forget_answers(self) -> None:
        """Drops the answers and the pieces of other files that depend on the model or on the settings."""
        self.other_files.forget_all()
        for uri, state in self._states.items():
            self.prefetcher.stop(uri)
            self._streams.detach(uri)
            self._states[uri] = state.without_answers()

    def warm_up(self, query: Query, settings: Settings, *, opened: bool) -> None:
        """Prefills the prompt that a request at the cursor would need, now or as soon as a model is loaded.

        For a file that was just ``opened``, this is the prompt for its last cursor, which may still be in memory. If
        there is none, it is only the part that requests near the cursor would share.
        """
        uri, engine = query.document.uri, self._manager.engine
        self._awaiting_model.pop(uri, None)
        if not settings.warm_up or why_off(query, settings):
            return
        if engine is None:
            self._awaiting_model[uri] = (query, opened)
            return
        left = self._left.get(uri)
        if opened and left is not None and left.planning.shows(query.document.text):
            query, opened = replace(query, offset=min(left.offset, len(query.document.text))), False
        prepare = None if opened else partial(self._looked_around, engine, settings, always=True)
        completer = self._completer(engine, settings)
        self.prefetcher.warm_up(query, self._states[uri], completer, prefix_only=opened, prepare=prepare)

    async def _looked_around(self, engine: Engine, settings: Settings, query: Query, *, always: bool) -> Query | None:
        """Returns the query with the pieces of other files that help here, or None if the prompt already has them and
        the result is not ``always`` wanted."""
        await self.other_files.look(query, engine, settings)
        state, found = self._states.get(query.document.uri), self._with_other_files(query)
        changed = state is not None and state.planning.other_files != found.other_files
        return found if changed or always else None

    def _with_other_files(self, query: Query) -> Query:
        uri = query.document.uri
        shown = self.other_files.shown(uri).other_files
        return replace(query, other_files=shown, repository=self.other_files.repository(uri)) if shown else query

    def on_loaded(self, settings: Settings) -> None:
        """Notes that another engine answers from now on."""
        self.forget_answers()
        for query, opened in list(self._awaiting_model.values()):
            self.warm_up(query, settings, opened=opened)

    async def complete(self, query: Query, settings: Settings, method: str = "") -> Outcome:
        """Returns one completion, once a model that is being loaded is there.

        A newer one for the same document and ``method`` ends it with an empty outcome; being cancelled ends it with
        ``CancelledError``. Never raises anything else.
        """
        key = (query.document.uri, method)
        self._supersede(key)
        if reason := why_off(query, settings):
            return Outcome(suggestion=None, origin=Origin.NONE, reason=reason)
        task = asyncio.create_task(self._complete(query, settings, method))
        self._running[key] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return Outcome(suggestion=None, origin=Origin.NONE, reason="a newer request took its place")
            task.cancel()
            raise
        finally:
            if self._running.get(key) is task:
                del self._running[key]

    async def _complete(self, query: Query, settings: Settings, method: str) -> Outcome:
        if not query.explicit:
            self.debounce.keystroke((query.document.uri, query.document.version), 1000 * time.perf_counter())
            if (why := silence(await self.moments.at(query))) is not None:
                return self._quiet(query, method, why)
        await self._manager.settled()
        if self._manager.engine is None:
            return Outcome(suggestion=None, origin=Origin.NONE, reason=self._manager.status.message)
        query = self._with_other_files(query)
        state = self._states.get(query.document.uri) or DocumentState()
        if query.document.uri in self._states:
            self._asked[query.document.uri] = query
        outcome = await self._answered(query, state, settings)
        if not query.explicit and self.moments.is_dismissed(query, outcome):
            return self._quiet(query, method, Silence.DISMISSED)
        outcome = await self._with_others(query, outcome, state, settings)
        self._show(query, outcome, method)
        self._prefetch_after(query, outcome, state, settings)
        return outcome

    async def _answered(self, query: Query, state: DocumentState, settings: Settings) -> Outcome:
        try:
            # An explicit request waits for a suggestion that still grows.
            known = None if query.explicit and self._streams.agrees(query) else lookup(query, state)
            return known or await self._ask(query, state, settings)
        except EngineError as error:
            log.warning("a completion failed: %s", error)
            return Outcome(suggestion=None, origin=Origin.NONE, reason=str(error))
        except Exception as error:
            log.error("a completion failed: %s", type(error).__name__)
            log.debug("details", exc_info=error)
            return Outcome(suggestion=None, origin=Origin.NONE, reason=f"it failed ({type(error).__name__})")

    async def _with_others(self, query: Query, outcome: Outcome, state: DocumentState, settings: Settings) -> Outcome:
        """Returns the outcome with alternatives, for an explicit request that the model has answered."""
        engine = self._manager.engine
        answered = outcome.origin in {Origin.MODEL, Origin.REUSE}
        if engine is None or not (query.explicit and settings.alternatives and answered):
            return outcome
        return await _with_alternatives(query, outcome, state, self._completer(engine, settings))

    def _prefetch_after(self, query: Query, outcome: Outcome, state: DocumentState, settings: Settings) -> None:
        engine = self._manager.engine
        if outcome.suggestion is None or engine is None or not settings.prefetch or self._streams.agrees(query):
            return
        self.prefetcher.prefetch_after(query, outcome.suggestion, state, self._completer(engine, settings))

    async def explain(self, query: Query, settings: Settings) -> Explanation:
        """Returns what the prompt of an explicit request would consist of. Raises ``EngineError``."""
        engine, state = self._manager.engine, self._states.get(query.document.uri) or DocumentState()
        if engine is None:
            raise EngineUnavailable(self._manager.status.message)
        await self.other_files.look(query, engine, settings)
        found = self.other_files.shown(query.document.uri)
        why = silence(await self.moments.at(query))
        quiet = why.value if why is not None else ""
        return await self._completer(engine, settings).explain(self._with_other_files(query), state, found, quiet)

    def _completer(self, engine: Engine, settings: Settings) -> Completer:
        return Completer(
            engine=engine, settings=settings, executor=self._planner, first_window_ms=settings.first_window_ms
        )

    async def _ask(self, query: Query, state: DocumentState, settings: Settings) -> Outcome:
        if not query.explicit and settings.debounce_ms and not self._streams.agrees(query):
            wait_ms = self.debounce.wait_ms(settings.debounce_ms)
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                if (known := lookup(query, state)) is not None:
                    return known
        began = time.perf_counter()
        try:
            outcome = await self._from_a_stream(query, state, settings)
        except asyncio.CancelledError:
            self.debounce.cancelled(1000 * (time.perf_counter() - began))
            raise
        if outcome.origin is Origin.MODEL:
            self.debounce.answered(outcome.ms["total"])
        return outcome

    async def _from_a_stream(self, query: Query, state: DocumentState, settings: Settings) -> Outcome:
        """Asks again if a stream ended without a text for this position, unless the document has changed."""
        while True:
            with self._manager.using() as engine:
                completer = self._completer(engine, settings)
                if reason := completer.why_unable(query):
                    return Outcome(suggestion=None, origin=Origin.NONE, reason=reason)
                outcome = await self._streams.ask(query, state, completer, self._patience_s(query, settings))
            if outcome is not None:
                return outcome
            if self._documents.get(query.document.uri, query.document) is not query.document:
                return Outcome(suggestion=None, origin=Origin.NONE, reason="the text has changed")
            if (known := lookup(query, state)) is not None:
                return known

    def _patience_s(self, query: Query, settings: Settings) -> float | None:
        """Returns how many seconds to wait for a whole answer before a part of it is used, or None if only the whole
        will do."""
        if query.explicit or not settings.answer_within_ms:
            return None
        if self._on_growth is not None:
            return min(_AT_ONCE_S, settings.answer_within_ms / 1000)
        gap_ms = self.debounce.gap_ms
        longest = settings.answer_within_ms
        return (longest if gap_ms is None else min(longest, _BEFORE_THE_NEXT_KEY * gap_ms)) / 1000

    def _show(self, query: Query, outcome: Outcome, method: str) -> None:
        key = (query.document.uri, method)
        if outcome.suggestion is None or query.document.uri not in self._states:
            self._on_screen.pop(key, None)
        else:
            self._on_screen[key] = Growth(query, outcome.suggestion)
            for suggestion in (outcome.suggestion, *outcome.others):
                self.moments.offer(query, suggestion)

    def dismiss(self, item: str) -> None:
        """Notes that the user does not want a suggestion. It no longer grows."""
        self._on_screen = {key: shown for key, shown in self._on_screen.items() if shown.suggestion.id != item}
        self.moments.dismiss(item)

    def _quiet(self, query: Query, method: str, why: Silence) -> Outcome:
        self._on_screen.pop((query.document.uri, method), None)
        log.info("no suggestion: %s", why.value)
        return Outcome(suggestion=None, origin=Origin.QUIET, reason=why.value)

    def _on_published(self, uri: str, stream: Stream) -> None:
        """Reports what has grown, if it is still on the screen."""
        state = self._states.get(uri)
        if self._on_growth is None or state is None:
            return
        for key, shown in [(key, shown) for key, shown in self._on_screen.items() if key[0] == uri]:
            if self._documents.get(uri) is shown.query.document and (growth := grown(shown, state)) is not None:
                self._on_screen[key] = growth
                self.moments.offer(growth.query, growth.suggestion)
                self._on_growth(growth)

    def _on_finished(self, uri: str, stream: Stream) -> None:
        """Uses the idle engine to prefetch what follows and to prefill the rest of the window."""
        asked, state, engine = self._asked.get(uri), self._states.get(uri), self._manager.engine
        if asked is None or state is None or engine is None:
            return
        completer = self._completer(engine, stream.settings)
        found = lookup(asked, state) if stream.whole is not None and stream.settings.prefetch else None
        if found is not None and found.suggestion is not None:
            self.prefetcher.prefetch_after(asked, found.suggestion, state, completer)
        if stream.settings.warm_up:
            prepare = partial(self._looked_around, engine, stream.settings, always=stream.is_near)
            self.prefetcher.warm_up(asked, state, completer, prepare=prepare)
        elif stream.is_near:
            self.prefetcher.warm_up(asked, state, completer)

    def _supersede(self, key: tuple[str, str]) -> None:
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()

    def shut_down(self) -> None:
        """Ends all requests and streams."""
        for key in list(self._running):
            self._supersede(key)
        self._streams.close_all()
        for uri in self._states:
            self.prefetcher.stop(uri)

    def close_planner(self) -> None:
        """Ends the threads without waiting for them. The model must be closed before."""
        self._planner.shutdown(wait=False, cancel_futures=True)
        self.other_files.close()


async def _with_alternatives(query: Query, first: Outcome, state: DocumentState, completer: Completer) -> Outcome:
    """Takes one of the others if the first text did not fit, since the user has asked for something."""
    try:
        others = await alternatives(query, first, state, completer)
    except EngineError as error:
        log.warning("no alternatives: %s", error)
        return first
    if first.suggestion is None and others:
        return replace(first, suggestion=others[0], others=others[1:], reason="")
    return replace(first, others=others)


def grown(shown: Growth, state: DocumentState) -> Growth | None:
    """Returns the shown suggestion with the text that was added at its end, or None if nothing was added."""
    found, before = lookup(shown.query, state), shown.suggestion
    longer = found.suggestion if found is not None else None
    if longer is None or longer.span != before.span or len(longer.text) <= len(before.text):
        return None
    return Growth(shown.query, replace(longer, id=before.id)) if longer.text.startswith(before.text) else None


def why_off(query: Query, settings: Settings) -> str:
    """Returns why the settings allow no suggestion here, or "" if they do."""
    if not settings.enabled:
        return "suggestions are off"
    if looks_secret_when_open(Path(query.path)):
        return "suggestions are off in this file, because its name is that of a secret"
    language = query.document.language
    return f"suggestions are off for {language}" if language in settings.disabled_languages else ""
