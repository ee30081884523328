"""A generation that outlives the request that began it, and the suggestions that it has produced so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from codegemma_lsp.completion.cache import Agreement, agreement, agreement_of_change, remainder, remember
from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.completion.pipeline import UNSURE, Completer, outcome_of
from codegemma_lsp.completion.postprocess import Insertion
from codegemma_lsp.completion.types import CachedSuggestion, DocumentState, Origin, Outcome, PendingRequest, Query
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish, Generation, Request, Usage
from codegemma_lsp.settings import Settings

_OUTRUN = 3
"""The number of code points by which the typed text may be ahead of the generated text. Beyond that, it is cheaper to
prefill the typed text than to generate it."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished answer, as it would be inserted where the stream began. ``reason`` says why nothing may be
    inserted."""

    insertion: Insertion
    reason: str
    generation: Generation


class Stream:
    """A generation that runs on the event loop as a task of its own, from planning to the judged answer.

    ``published`` is called whenever more of the text may be shown. What has been shown only grows: a longer text that
    begins differently is discarded. Suggestions are stored in ``state``, where later requests find them as the user
    types along.
    """

    def __init__(
        self,
        query: Query,
        state: DocumentState,
        completer: Completer,
        published: Callable[[Stream], None],
        *,
        pieces: bool,
    ) -> None:
        """Starts the task. With ``pieces``, the text is published piece by piece. Otherwise it is published when it is
        complete, or when a request takes what there is."""
        self.query, self._state, self._completer, self._published = query, state, completer, published
        self._pieces = pieces
        cursor = cursor_text(query)
        self._origin = CachedSuggestion(text=cursor.text, offset=cursor.offset, insert="")
        self._cursor = cursor.offset
        self._typed = ""
        """The text that was typed since the stream began, as far as changes reported it. The engine's thread compares
        it with the generated text."""
        self._written: Generation | None = None
        self._pending: PendingRequest | None = None
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self.shown: CachedSuggestion | None = None
        self._public: CachedSuggestion | None = None
        self.whole: Whole | None = None
        self.error: Exception | None = None
        self.is_near = False
        """Whether the prompt showed less of the document than the settings allow."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._tell())

    @property
    def settings(self) -> Settings:
        return self._completer.settings

    @property
    def done(self) -> bool:
        """Returns whether the stream has finished, failed or been ended."""
        return self._task.done()

    def end(self) -> None:
        """Stops the model within a token. A later request can continue what it has generated."""
        self._task.cancel()

    def add_done_callback(self, function: Callable[[Stream], None]) -> None:
        self._task.add_done_callback(lambda _: function(self))

    def may_answer(self, query: Query) -> bool:
        """Returns whether the text that was typed since agrees with the text that was generated so far."""
        cursor = cursor_text(query)
        return agreement(self._so_far, cursor.text, cursor.offset) is not Agreement.DISAGREES

    def follows(self, document: Document) -> bool:
        """Returns whether a changed document agrees with the generated text, and is not far ahead of it. If so, what
        was typed is compared with later tokens too. A change does not report a cursor, so the likeliest one is
        assumed."""
        if self.query.selected is not None:
            return True  # the stream belongs to a text that the document does not have
        text = cursor_text(Query(document=document, offset=0, path="")).text
        agrees, offset = agreement_of_change(self._so_far, text)
        if agrees is Agreement.DISAGREES:
            return False
        self._follow(text, offset)
        # The engine compares only after the next token where it is in another process.
        return self._written is None or not self._is_outrun(self._written.text)

    def _follow(self, text: str, offset: int) -> None:
        self._typed, self._cursor = text[self._origin.offset : offset], offset

    @property
    def _so_far(self) -> CachedSuggestion:
        written = self._written.text if self._written is not None else ""
        return replace(self._origin, insert=written)

    async def answer(self, query: Query, patience_s: float | None) -> Outcome | None:
        """Returns what there is for a query.

        The result is the whole answer if it is complete within ``patience_s`` seconds. Otherwise it is the first part
        that may be shown, as soon as there is one. Without ``patience_s``, it is always the whole answer. The result is
        None if the stream has ended without a text for this position. Raises the error with which the stream ended.
        """
        began, cursor = time.perf_counter(), cursor_text(query)
        self._follow(cursor.text, cursor.offset)
        while not self.done:
            told, waited = self._told, time.perf_counter() - began
            if patience_s is not None and waited >= patience_s and (found := self._shown_at(query)) is not None:
                self._publish()
                return replace(found, ms={"total": 1000 * (time.perf_counter() - began)})
            left = patience_s - waited if patience_s is not None and patience_s > waited else None
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), left)
        if self.error is not None:
            raise self.error
        if query.explicit and self._pending is not None and self.whole is not None and self.whole.reason == UNSURE:
            # An explicit request shows low-confidence text.
            await self._publish_whole(replace(self.query, explicit=True), self._pending, self.whole.generation)
        return self._whole_at(query, began)

    def _shown_at(self, query: Query) -> Outcome | None:
        cursor = cursor_text(query)
        found = remainder((self.shown,), cursor.text, cursor.offset) if self.shown is not None else None
        return outcome_of(query, found, cursor.newline, Origin.MODEL) if found is not None and found.text else None

    def _whole_at(self, query: Query, began: float) -> Outcome | None:
        if self.whole is None:
            return None
        cursor, whole = cursor_text(query), self.whole
        here = (cursor.text, cursor.offset) == (self._origin.text, self._origin.offset)
        if (shown := self._shown_at(query)) is not None:
            outcome = shown
        elif here or whole.reason == UNSURE:
            outcome = outcome_of(query, whole.insertion if here else Insertion(""), cursor.newline, Origin.MODEL)
        else:
            # The text was postprocessed for the older position, so perhaps nothing is left of it for this one.
            left = remainder((self._entry(whole.insertion),), cursor.text, cursor.offset)
            if left is None:
                return None
            outcome = outcome_of(query, left, cursor.newline, Origin.MODEL)
        usage, generation = whole.generation.usage, whole.generation
        model_ms = {"queue": usage.queue_ms, "prefill": usage.prefill_ms, "decode": usage.decode_ms}
        total = 1000 * (time.perf_counter() - began)
        return replace(
            outcome,
            reason=whole.reason or outcome.reason if outcome.suggestion is None else "",
            usage=usage,
            ms={"plan": self._plan_ms, **model_ms, "own": self._own_ms, "total": total},
            mean_logprob=generation.mean_logprob(),
            said=generation.text,
        )

    async def _run(self) -> None:
        try:
            await self._write()
        except Exception as error:  # raised where the answer is awaited
            self.error = error

    async def _write(self) -> None:
        began = time.perf_counter()
        self._own_ms = 0.0
        self._pending = pending = await self._completer.begin(self.query, self._state)
        self._plan_ms = self._own_ms = 1000 * (time.perf_counter() - began)
        self._go_on_from(pending)
        self.is_near = pending.plan.near
        request = self._watched(pending)
        writing = asyncio.create_task(self._completer.generate(pending, self._state, request=request))
        writing.add_done_callback(lambda _: self._news.set())
        try:
            while not writing.done():
                await self._news.wait()
                self._news.clear()
                if not writing.done():
                    await self._publish_a_piece(pending)
            generation = writing.result()
        finally:
            writing.cancel()
        if generation.finish is not Finish.CANCELLED and not self._is_contradicted(generation.text):
            await self._publish_whole(self.query, pending, generation)
            self._state.pending = tuple(one for one in self._state.pending if one is not pending)

    def _go_on_from(self, pending: PendingRequest) -> None:
        """Continues an older request, which may have generated more than was typed since."""
        written = pending.progress.text
        self._typed = written[: self._origin.offset - pending.offset] + self._typed
        self._origin = CachedSuggestion(text=pending.text, offset=pending.offset, insert="")
        self._written = Generation(text=written, finish=Finish.CANCELLED, usage=Usage()) if written else None

    def _watched(self, pending: PendingRequest) -> Request:
        """Returns the same request with callbacks that report each text and stop within a token of a contradiction."""
        loop, progress, criteria = asyncio.get_running_loop(), pending.progress, pending.request.on_text

        def on_text(text: str) -> bool:
            self._written = Generation(
                text=text,
                finish=Finish.CANCELLED,
                usage=Usage(),
                logprobs=tuple(progress.logprobs),
                ends=tuple(progress.ends),
            )
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._news.set)
            return criteria is not None and criteria(text)

        def given_up() -> bool:
            return self._is_contradicted(progress.text) or self._is_outrun(progress.text)

        return replace(pending.request, on_text=on_text, given_up=given_up)

    def _is_contradicted(self, text: str) -> bool:
        typed = self._typed
        return not (text.startswith(typed) or typed.startswith(text))

    def _is_outrun(self, text: str) -> bool:
        return len(self._typed) - len(text) > _OUTRUN

    async def _publish_a_piece(self, pending: PendingRequest) -> None:
        written = self._written
        if written is None:
            return
        completer = self._completer
        piece = await completer.aside(partial(completer.piece, self.query, pending, written, self._cursor))
        if piece.text and self._extends(piece):
            self._show(self._entry(piece))

    async def _publish_whole(self, query: Query, pending: PendingRequest, generation: Generation) -> None:
        began, completer = time.perf_counter(), self._completer
        judging = partial(completer.judge, query, pending, generation, self._cursor)
        insertion, reason = await completer.aside(judging)
        self._own_ms += 1000 * (time.perf_counter() - began)
        self.whole = Whole(insertion, reason, generation)
        if self._extends(insertion):
            self._show(self._entry(insertion))

    def _entry(self, insertion: Insertion) -> CachedSuggestion:
        return replace(self._origin, insert=insertion.text, overwrites=insertion.overwrites)

    def _extends(self, insertion: Insertion) -> bool:
        shown = self.shown if self._pieces else self._public
        if shown is None:
            return True
        longer = len(insertion.text) > len(shown.insert) and insertion.text.startswith(shown.insert)
        return longer and insertion.overwrites == shown.overwrites

    def _show(self, entry: CachedSuggestion) -> None:
        self.shown = entry
        if self._pieces or self.whole is not None:
            self._publish()
        self._tell()

    def _publish(self) -> None:
        """Stores what may be shown where later requests look for it. It replaces the shorter text that was stored
        before."""
        if self.shown is None or self.shown is self._public:
            return
        others = tuple(one for one in self._state.suggestions if one is not self._public)
        self._state.suggestions = remember(others, self.shown)
        self._public = self.shown
        self._published(self)

    def _tell(self) -> None:
        told, self._told = self._told, asyncio.Event()
        told.set()
