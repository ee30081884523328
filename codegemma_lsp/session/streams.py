"""The streams of a session, one for each document: which requests each stream answers, and when it begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from codegemma_lsp.completion import Completer, DocumentState, Outcome, Query
from codegemma_lsp.completion.lifecycle import Action, Event, Phase, step
from codegemma_lsp.completion.stream import Stream
from codegemma_lsp.document import Document


@dataclass
class _Entry:
    """A document's stream, its phase, and how many requests wait for it."""

    uri: str
    phase: Phase = Phase.IDLE
    stream: Stream | None = None
    waiting: int = 0
    timer: asyncio.TimerHandle | None = None
    linger_s: float = 0.0


class Streams:
    """The streams of all documents, on the event loop.

    ``published`` is called when more of a document's stream may be shown, and ``finished`` when a stream has finished.
    """

    pieces = False
    """Whether streams that begin from now on publish their text piece by piece."""

    def __init__(self, published: Callable[[str, Stream], None], finished: Callable[[str, Stream], None]) -> None:
        self._published, self._finished = published, finished
        self._entries: dict[str, _Entry] = {}

    def agrees(self, query: Query) -> bool:
        """Returns whether the running stream may answer a query."""
        entry = self._entries.get(query.document.uri)
        stream = entry.stream if entry is not None else None
        return stream is not None and not stream.done and stream.may_answer(query)

    async def ask(
        self, query: Query, state: DocumentState, completer: Completer, patience_s: float | None
    ) -> Outcome | None:
        """Returns what ``Stream.answer`` returns, from the running stream if it agrees, or else from a new one.
        Cancelling lets the stream continue for ``linger_ms``. Raises ``EngineError``."""
        entry, settings = self._entry(query.document.uri), completer.settings
        joins = settings.join_stream and self.agrees(query)
        entry.linger_s = settings.linger_ms / 1000 if settings.join_stream else 0.0
        self._on(entry, Event.ASKED if joins else Event.ASKED_ELSEWHERE, lambda: self._begin(query, state, completer))
        stream = entry.stream
        assert stream is not None
        entry.waiting += 1
        left = Event.ABANDONED
        try:
            outcome = await stream.answer(query, patience_s)
            left = Event.SHOWN
            return outcome
        finally:
            if entry.stream is stream:
                entry.waiting -= 1
                if not entry.waiting:
                    self._on(entry, left)

    def changed(self, document: Document) -> None:
        """Notes that a document was edited. Its stream continues if the edit agrees with the generated text."""
        entry = self._entries.get(document.uri)
        if entry is not None and entry.stream is not None:
            along = entry.stream.follows(document)
            self._on(entry, Event.TYPED_ALONG if along else Event.TYPED_OTHERWISE)

    def close(self, uri: str) -> None:
        """Ends the document's stream."""
        if (entry := self._entries.pop(uri, None)) is not None:
            self._on(entry, Event.CLOSED)

    def detach(self, uri: str) -> None:
        """Lets the document's stream answer the requests that wait for it, but no later ones."""
        entry = self._entries.get(uri)
        if entry is not None and entry.waiting:
            del self._entries[uri]
            entry.linger_s = 0.0
        else:
            self.close(uri)

    def close_all(self) -> None:
        for uri in list(self._entries):
            self.close(uri)

    def _entry(self, uri: str) -> _Entry:
        return self._entries.setdefault(uri, _Entry(uri))

    def _begin(self, query: Query, state: DocumentState, completer: Completer) -> Stream:
        uri = query.document.uri
        stream = Stream(query, state, completer, lambda one: self._published(uri, one), pieces=self.pieces)
        stream.add_done_callback(lambda one: self._on_done(uri, one))
        return stream

    def _on_done(self, uri: str, stream: Stream) -> None:
        entry = self._entries.get(uri)
        if entry is not None and entry.stream is stream:
            self._on(entry, Event.FINISHED)
            self._finished(uri, stream)

    def _on(self, entry: _Entry, event: Event, begin: Callable[[], Stream] | None = None) -> None:
        entry.phase, actions = step(entry.phase, event)
        for action in actions:
            self._do(entry, action, begin)
        if entry.phase is Phase.IDLE:
            entry.stream, entry.waiting = None, 0
            if self._entries.get(entry.uri) is entry:
                del self._entries[entry.uri]

    def _do(self, entry: _Entry, action: Action, begin: Callable[[], Stream] | None) -> None:
        if action is Action.STOP_TIMER and entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        elif action is Action.START_TIMER:
            loop = asyncio.get_running_loop()
            entry.timer = loop.call_later(entry.linger_s, self._on, entry, Event.TIMED_OUT)
        elif action is Action.END and entry.stream is not None:
            entry.stream.end()
        elif action is Action.START and begin is not None:
            entry.stream, entry.waiting = begin(), 0
