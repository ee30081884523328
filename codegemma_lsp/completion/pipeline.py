"""The straight line from a cursor to a suggestion: cache, plan, engine, postprocessing."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from codegemma_lsp.completion.cache import joined, remainder, remember
from codegemma_lsp.completion.cursor import CursorText, cursor_text, usable
from codegemma_lsp.completion.planning import insertion_point, pending_request, plan_completion
from codegemma_lsp.completion.postprocess import Insertion, postprocess
from codegemma_lsp.completion.types import (
    CachedSuggestion,
    DocumentState,
    Origin,
    Outcome,
    PendingRequest,
    Query,
    Suggestion,
)
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.engines.protocol import Engine, EngineError, Finish, Generation, Priority, Request, Usage, total
from codegemma_lsp.prompt import before_suffix
from codegemma_lsp.settings import Settings

T = TypeVar("T")

_UNSURE = "the model is unsure"
_MOST_PENDING = 2
"""The last request, and what was prefetched ahead of it."""


def lookup(query: Query, state: DocumentState) -> Outcome | None:
    """What is known without asking the model; None where it has to be asked."""
    began = time.perf_counter()
    cursor = cursor_text(query)
    known = remainder(state.suggestions, cursor.text, cursor.offset)
    if known is None or (query.explicit and not known.text):
        return None
    outcome = outcome_of(query, known, cursor.newline, Origin.REUSE)
    return replace(outcome, ms={"total": _ms_since(began)})


def may_join(query: Query, state: DocumentState, settings: Settings) -> bool:
    """Whether the answer to a pending request would answer this query."""
    cursor = cursor_text(query)
    return settings.join_stream and joined(state.pending, cursor.text, cursor.offset) is not None


@dataclass(frozen=True, slots=True)
class Completer:
    """An engine and the settings to complete by. The ``executor``, of one thread, takes what needs more than a moment
    off the event loop; without one it is done here.

    ``state`` is always that of the query's document, and is brought up to date. Methods raise what
    ``Engine.generate`` raises. Cancelling the task cancels the model and leaves ``state`` usable.
    """

    engine: Engine
    settings: Settings
    executor: Executor | None = None

    async def complete(self, query: Query, state: DocumentState) -> Outcome:
        """One completion, from the cache where that knows the answer."""
        return lookup(query, state) or await self.ask(query, state)

    async def ask(self, query: Query, state: DocumentState, priority: Priority = Priority.COMPLETION) -> Outcome:
        """``complete`` of what is not in the cache. At a lower priority, the planning in ``state`` stays as it is."""
        began = time.perf_counter()
        cursor = cursor_text(query)
        if reason := self._why_unable(cursor):
            return Outcome(None, Origin.NONE, reason=reason)
        spent = _Spent()
        while True:
            pending = await self._pending(query, cursor, state, priority, spent)
            generation = await self._generate(pending, state, priority)
            if generation.finish is Finish.CANCELLED:
                return Outcome(None, Origin.NONE, generation.usage, reason="a more urgent request took its place")
            insertion, reason = await self._judge(query, cursor, pending, generation, spent)
            state.pending = _without(state.pending, pending)
            # Postprocessed for the older place, nothing may be left that would be right for this one.
            if insertion is not None or reason == _UNSURE:
                break
        if insertion is not None:
            entry = CachedSuggestion(cursor.text, cursor.offset, insertion.text, insertion.overwrites)
            state.suggestions = remember(state.suggestions, entry)
        outcome = outcome_of(query, insertion or Insertion(""), cursor.newline, Origin.MODEL, reason)
        return replace(
            outcome,
            usage=spent.usage(generation.usage),
            ms={**spent.ms(generation.usage), "total": _ms_since(began)},
            mean_logprob=generation.mean_logprob(),
            said=generation.text,
        )

    async def prefetch(self, query: Query, state: DocumentState) -> bool:
        """Has the answer to a query in the cache before it is asked; False where something more urgent came between."""
        if lookup(query, state) is not None:
            return True
        return (await self.ask(query, state, Priority.PREFETCH)).origin is Origin.MODEL

    async def warm_up(self, query: Query, state: DocumentState, *, prefix_only: bool = False) -> None:
        """Reads the prompt for a query, so that the first suggestion there need not. ``prefix_only``: no more of it
        than a cursor further down would share, for when it is not known where the cursor is."""
        plan, state.planning = await self.aside(
            partial(plan_completion, query, state.planning, self.engine, self.settings)
        )
        prompt = before_suffix(plan.prompt) if prefix_only else plan.prompt
        if prompt.segments:
            await self.engine.generate(Request(prompt, max_tokens=0, priority=Priority.WARM_UP))

    async def aside(self, function: Callable[[], T]) -> T:
        """Runs ``function`` in the executor."""
        if self.executor is None:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self.executor, function)

    def judge(
        self, query: Query, pending: PendingRequest, generation: Generation, offset: int
    ) -> tuple[Insertion, str]:
        """What may be shown of an answer, or why nothing may. Confidence is that of what follows ``offset``, the
        cursor."""
        if not generation.text.strip():
            return Insertion(""), "the model has nothing to add"
        unsure = generation.mean_logprob(offset - pending.offset) < self.settings.min_confidence
        if unsure and not query.explicit:
            return Insertion(""), _UNSURE
        point = insertion_point(pending.plan, self.settings)
        insertion = postprocess(generation.text, replace(point, cut_off=generation.finish is Finish.LENGTH))
        return insertion, "" if insertion.text else "nothing that is safe to accept was left"

    def _why_unable(self, cursor: CursorText) -> str:
        """Why the model is not asked here; empty where it is."""
        if self.engine.tokenizer.family.infills or cursor.at_line_end:
            return ""
        return "this model cannot infill, so it is asked at the end of a line only"

    async def _pending(
        self, query: Query, cursor: CursorText, state: DocumentState, priority: Priority, spent: _Spent
    ) -> PendingRequest:
        """The request to put: one that is pending and agrees with what was typed since, else a new one."""
        began = time.perf_counter()
        pending = joined(state.pending, cursor.text, cursor.offset) if self.settings.join_stream else None
        if pending is None:
            plan, planning = await self.aside(
                partial(plan_completion, query, state.planning, self.engine, self.settings)
            )
            if priority is Priority.COMPLETION:
                state.planning = planning
            hint = state.suggestions[-1].insert if state.suggestions else ""
            pending = pending_request(query, plan, self.settings, hint)
        spent.planned(began)
        return pending

    async def _generate(self, pending: PendingRequest, state: DocumentState, priority: Priority) -> Generation:
        """The answer to a request, which others may join until it has been judged."""
        state.pending = (*_without(state.pending, pending)[1 - _MOST_PENDING :], pending)
        try:
            return await self.engine.generate(replace(pending.request, priority=priority))
        except EngineError:
            state.pending = _without(state.pending, pending)
            raise

    async def _judge(
        self, query: Query, cursor: CursorText, pending: PendingRequest, generation: Generation, spent: _Spent
    ) -> tuple[Insertion | None, str]:
        """``judge``; of an older request's answer, what is left of it here, or None where that says nothing."""
        began = time.perf_counter()
        insertion, reason = await self.aside(partial(self.judge, query, pending, generation, cursor.offset))
        spent.judged(began, generation.usage)
        if (cursor.text, cursor.offset) == (pending.text, pending.offset):
            return insertion, reason
        older = CachedSuggestion(pending.text, pending.offset, insertion.text, insertion.overwrites)
        return remainder((older,), cursor.text, cursor.offset), reason


@dataclass(slots=True)
class _Spent:
    """Tokens and milliseconds of one ``ask``, which may put more than one request."""

    plan_ms: float = 0.0
    own_ms: float = 0.0
    usages: tuple[Usage, ...] = ()

    def planned(self, began: float) -> None:
        self.plan_ms = _ms_since(began)
        self.own_ms += self.plan_ms

    def judged(self, began: float, usage: Usage) -> None:
        self.own_ms += _ms_since(began)
        self.usages = (*self.usages, usage)

    def usage(self, last: Usage) -> Usage:
        """The sums, except for the prompt, which is the last one's."""
        return replace(total(self.usages), prompt_tokens=last.prompt_tokens, cached_tokens=last.cached_tokens)

    def ms(self, last: Usage) -> dict[str, float]:
        return {
            "plan": self.plan_ms,
            "queue": last.queue_ms,
            "prefill": last.prefill_ms,
            "decode": last.decode_ms,
            "own": self.own_ms,
        }


async def complete(query: Query, state: DocumentState, engine: Engine, settings: Settings) -> Outcome:
    """``Completer.complete``, all in this thread."""
    return await Completer(engine, settings).complete(query, state)


def accepted(query: Query, suggestion: Suggestion) -> Query:
    """The query that an editor makes once the suggestion is in the document."""
    document = query.document.with_edit(Edit(suggestion.span, suggestion.text))
    return replace(
        query,
        document=document,
        offset=suggestion.span.start + len(suggestion.text),
        explicit=False,
        selected=None,
    )


def outcome_of(
    query: Query, insertion: Insertion, newline: str, origin: Origin, reason: str = "nothing to suggest here"
) -> Outcome:
    """What a user is told of an insertion."""
    if not insertion.text:
        return Outcome(None, origin, reason=reason)
    span, text = Span(query.offset, query.offset + insertion.overwrites), insertion.text
    if query.selected is not None and usable(query):
        selected = query.selected
        span, text = Span(selected.span.start, selected.span.end + insertion.overwrites), selected.text + text
    return Outcome(Suggestion(uuid.uuid4().hex, span, text.replace("\n", newline)), origin)


def _without(all_pending: tuple[PendingRequest, ...], pending: PendingRequest) -> tuple[PendingRequest, ...]:
    return tuple(other for other in all_pending if other is not pending)


def _ms_since(began: float) -> float:
    """``began``: by ``time.perf_counter``."""
    return 1000 * (time.perf_counter() - began)
