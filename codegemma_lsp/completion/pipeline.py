"""The steps from a cursor to a suggestion: cache, plan, engine, postprocessing."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from codegemma_lsp.completion.cache import cached, joined, remainder, remember
from codegemma_lsp.completion.cursor import CursorText, cursor_text, usable
from codegemma_lsp.completion.explanation import Explanation, explain
from codegemma_lsp.completion.pieces import piece_of
from codegemma_lsp.completion.planning import insertion_point, pending_request, plan_completion
from codegemma_lsp.completion.postprocess import Insertion, postprocess
from codegemma_lsp.completion.types import (
    DocumentState,
    Origin,
    Outcome,
    PendingRequest,
    Query,
    Suggestion,
)
from codegemma_lsp.context import Selection
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.engines.protocol import Engine, EngineError, Finish, Generation, Priority, Request, Usage, total
from codegemma_lsp.prompt import BudgetTooSmall, before_suffix
from codegemma_lsp.settings import Settings

T = TypeVar("T")

UNSURE = "the model is unsure"
_MOST_PENDING = 2
"""The number of pending requests that are kept: the last one, and the prefetched one that follows it."""


def lookup(query: Query, state: DocumentState) -> Outcome | None:
    """Returns the outcome that the cache knows, or None if the model must be asked."""
    began = time.perf_counter()
    cursor = cursor_text(query)
    known = remainder(state.suggestions, cursor.text, cursor.offset)
    if known is None or (query.explicit and not known.text):
        return None
    outcome = outcome_of(query, known, cursor.newline, Origin.REUSE)
    return replace(outcome, ms={"total": _ms_since(began)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Completer:
    """Completes queries with an engine and settings.

    The ``executor``, which must have one thread, runs work that would block the event loop for long. Without it, the
    work runs on the event loop. ``first_window_ms`` is how many milliseconds the prefill of a prompt may take, as in
    ``plan_completion``.

    ``state`` is always the state of the query's document, and methods update it. Methods raise what ``Engine.generate``
    raises. Cancelling the task cancels the generation and leaves ``state`` usable.
    """

    engine: Engine
    settings: Settings
    executor: Executor | None = None
    first_window_ms: int = 0

    async def complete(self, query: Query, state: DocumentState) -> Outcome:
        """Returns one completion, from the cache if it has the answer."""
        return lookup(query, state) or await self.ask(query, state)

    async def ask(self, query: Query, state: DocumentState, priority: Priority = Priority.COMPLETION) -> Outcome:
        """Returns a completion from the model. At a lower priority than ``COMPLETION``, ``state.planning`` does not
        change."""
        began = time.perf_counter()
        cursor = cursor_text(query)
        if reason := self.why_unable(query):
            return Outcome(suggestion=None, origin=Origin.NONE, reason=reason)
        spent = _Spent()
        while True:
            began_plan = time.perf_counter()
            pending = await self.begin(query, state, priority)
            spent.planned(began_plan)
            generation = await self.generate(pending, state, priority)
            if generation.finish is Finish.CANCELLED:
                return Outcome(
                    suggestion=None,
                    origin=Origin.NONE,
                    usage=generation.usage,
                    reason="a more urgent request took its place",
                )
            insertion, reason = await self._judge(query, cursor, pending, generation, spent)
            state.pending = _without(state.pending, pending)
            # An older request was postprocessed for another position, so perhaps nothing is left of it for this one.
            if insertion is not None or reason == UNSURE:
                break
        if insertion is not None:
            state.suggestions = remember(state.suggestions, cached(cursor, insertion))
        outcome = outcome_of(query, insertion or Insertion(""), cursor.newline, Origin.MODEL, reason)
        return replace(
            outcome,
            usage=spent.usage(generation.usage),
            ms={**spent.ms(generation.usage), "total": _ms_since(began)},
            mean_logprob=generation.mean_logprob(),
            said=generation.text,
        )

    async def prefetch(self, query: Query, state: DocumentState) -> bool:
        """Puts the answer to a query into the cache before it is asked. Returns False if a more urgent request
        interrupted it."""
        if lookup(query, state) is not None:
            return True
        return (await self.ask(query, state, Priority.PREFETCH)).origin is Origin.MODEL

    async def warm_up(self, query: Query, state: DocumentState, *, prefix_only: bool = False) -> None:
        """Prefills the prompt for a query, so that the first suggestion there need not wait for it.

        With ``prefix_only``, it prefills only the part that a cursor further down would share, for use when the cursor
        is not known. A prompt with other pieces of other files than before is used by requests once it has been
        prefilled.
        """
        before = state.planning
        plan, after = await self.aside(partial(plan_completion, query, before, self.engine, self.settings))
        if after.other_files != before.other_files and before.window is not None:
            after = replace(
                after, window=before.window, other_files=before.other_files, near=before.near, ahead=after.window
            )
        state.planning = after
        prompt = before_suffix(plan.prompt) if prefix_only else plan.prompt
        if prompt.segments:
            await self.engine.generate(Request(prompt=prompt, max_tokens=0, priority=Priority.WARM_UP))

    async def explain(self, query: Query, state: DocumentState, found: Selection, quiet: str = "") -> Explanation:
        """Returns what the prompt for a query consists of. ``found`` holds the pieces from which its other files were
        taken, and ``quiet`` says why nothing is shown, if so."""
        work = partial(plan_completion, query, state.planning, self.engine, self.settings)
        try:
            plan, _ = await self.aside(work)
        except BudgetTooSmall as error:
            raise EngineError(str(error)) from None
        return explain(plan, self.engine, found, quiet)

    async def aside(self, function: Callable[[], T]) -> T:
        """Runs ``function`` in the executor, or here if there is none."""
        if self.executor is None:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self.executor, function)

    def judge(
        self, query: Query, pending: PendingRequest, generation: Generation, offset: int
    ) -> tuple[Insertion, str]:
        """Returns what may be shown of an answer, and why nothing may be shown if it is empty. ``offset`` is the
        cursor; confidence is the mean over the text that follows it."""
        if not generation.text.strip():
            return Insertion(""), "the model has nothing to add"
        if self._is_unsure(query, pending, generation, offset):
            return Insertion(""), UNSURE
        point = insertion_point(pending.plan, self.settings)
        insertion = postprocess(generation.text, replace(point, cut_off=generation.finish is Finish.LENGTH))
        return insertion, "" if insertion.text else "nothing was left that fits the code around the cursor"

    def piece(self, query: Query, pending: PendingRequest, generation: Generation, offset: int) -> Insertion:
        """Returns what may already be shown of an answer that is still being generated."""
        if self._is_unsure(query, pending, generation, offset):
            return Insertion("")
        return piece_of(generation.text, replace(insertion_point(pending.plan, self.settings), cut_off=True))

    def _is_unsure(self, query: Query, pending: PendingRequest, generation: Generation, offset: int) -> bool:
        """Returns whether the confidence is too low to show the text. An explicit request shows it anyway."""
        return not query.explicit and generation.mean_logprob(offset - pending.offset) < self.settings.min_confidence

    def why_unable(self, query: Query) -> str:
        """Returns why the model cannot be asked at this position, or "" if it can."""
        if self.engine.tokenizer.family.infills or cursor_text(query).at_line_end:
            return ""
        return "this model cannot infill, so it is asked at the end of a line only"

    async def begin(
        self, query: Query, state: DocumentState, priority: Priority = Priority.COMPLETION
    ) -> PendingRequest:
        """Returns the request to make: a pending one that agrees with what was typed since, or else a new one."""
        cursor = cursor_text(query)
        pending = joined(state.pending, cursor.text, cursor.offset) if self.settings.join_stream else None
        if pending is None:
            plan, planning = await self.aside(
                partial(plan_completion, query, state.planning, self.engine, self.settings, self.first_window_ms)
            )
            if priority is Priority.COMPLETION:
                state.planning = planning
            hint = state.suggestions[-1].insert if state.suggestions else ""
            pending = pending_request(query, plan, self.settings, hint)
        return pending

    async def generate(
        self,
        pending: PendingRequest,
        state: DocumentState,
        priority: Priority = Priority.COMPLETION,
        request: Request | None = None,
    ) -> Generation:
        """Returns the answer to a request. The request is kept in ``state`` until it has been judged, so that it can
        continue. ``request`` replaces the pending one's own."""
        state.pending = (*_without(state.pending, pending)[1 - _MOST_PENDING :], pending)
        try:
            return await self.engine.generate(replace(request or pending.request, priority=priority))
        except EngineError:
            state.pending = _without(state.pending, pending)
            raise

    async def _judge(
        self, query: Query, cursor: CursorText, pending: PendingRequest, generation: Generation, spent: _Spent
    ) -> tuple[Insertion | None, str]:
        """Returns what ``judge`` returns. For an older request, it returns what is left of its answer here, or None if
        that leaves nothing known."""
        began = time.perf_counter()
        insertion, reason = await self.aside(partial(self.judge, query, pending, generation, cursor.offset))
        spent.judged(began, generation.usage)
        if (cursor.text, cursor.offset) == (pending.text, pending.offset):
            return insertion, reason
        return remainder((cached(pending, insertion),), cursor.text, cursor.offset), reason


@dataclass(slots=True)
class _Spent:
    """The tokens and milliseconds of one ``ask``, which may make more than one request."""

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
        """Returns the sums. The prompt's counts are those of the last request."""
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
    """Completes as ``Completer.complete`` does, without an executor."""
    return await Completer(engine=engine, settings=settings).complete(query, state)


def accepted(query: Query, suggestion: Suggestion) -> Query:
    """Returns the query that an editor makes once the suggestion is in the document."""
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
    """Returns the outcome that shows an insertion to the user."""
    if not insertion.text:
        return Outcome(suggestion=None, origin=origin, reason=reason)
    span, text = Span(query.offset, query.offset + insertion.overwrites), insertion.text
    if query.selected is not None and usable(query):
        selected = query.selected
        span, text = Span(selected.span.start, selected.span.end + insertion.overwrites), selected.text + text
    return Outcome(suggestion=Suggestion(uuid.uuid4().hex, span, text.replace("\n", newline)), origin=origin)


def _without(all_pending: tuple[PendingRequest, ...], pending: PendingRequest) -> tuple[PendingRequest, ...]:
    return tuple(other for other in all_pending if other is not pending)


def _ms_since(began: float) -> float:
    """Returns the milliseconds since ``began``, which is a value of ``time.perf_counter``."""
    return 1000 * (time.perf_counter() - began)
