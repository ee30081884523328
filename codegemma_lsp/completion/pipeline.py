"""The straight line from a cursor to a suggestion: reuse, context, prompt, engine, clean-up."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from codegemma_lsp.completion.clean import Cleaned, Place, clean
from codegemma_lsp.completion.closers import only_closers
from codegemma_lsp.completion.reuse import joined, remainder, remember
from codegemma_lsp.completion.stop import Stopper
from codegemma_lsp.completion.types import Begun, Memory, Origin, Outcome, Plan, Query, Shown, Suggestion
from codegemma_lsp.completion.view import as_if_accepted, usable
from codegemma_lsp.context import site_at
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.engines.base import (
    Engine,
    EngineError,
    Finish,
    Generation,
    Priority,
    Progress,
    Request,
    Sampling,
    Usage,
    total,
)
from codegemma_lsp.prompt import Budget, before_suffix, build_fim, unmistakable
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Extent, excerpt, extent_at, find_language, head_of, parse, scope_at

T = TypeVar("T")

_UNSURE = "the model is unsure"
_MOST_BEGUN = 2
"""The last request, and what was fetched ahead of it."""


def in_hand(query: Query, memory: Memory) -> Outcome | None:
    """What is known without asking the model; None where it has to be asked."""
    began = time.perf_counter()
    text, offset, newline = as_if_accepted(query)
    known = remainder(memory.shown, text, offset)
    if known is None or (query.explicit and not known.text):
        return None
    return outcome_of(query, known, newline, Origin.REUSE, began)


def may_join(query: Query, memory: Memory, settings: Settings) -> bool:
    """Whether a request that was begun already would answer this query."""
    text, offset, _ = as_if_accepted(query)
    return settings.join_stream and joined(memory.begun, text, offset) is not None


async def complete(
    query: Query, memory: Memory, engine: Engine, settings: Settings, executor: Executor | None = None
) -> Outcome:
    """One completion. ``memory`` is that of the query's document and is brought up to date; ``executor``, of one
    thread, takes what needs more than a moment off the event loop.

    Raises what ``Engine.generate`` raises. Cancelling the task cancels the model and leaves ``memory`` usable.
    """
    return in_hand(query, memory) or await ask(query, memory, engine, settings, executor)


async def ask(
    query: Query,
    memory: Memory,
    engine: Engine,
    settings: Settings,
    executor: Executor | None = None,
    priority: Priority = Priority.COMPLETION,
) -> Outcome:
    """``complete`` of what is not in hand. Below ``COMPLETION``, trees and window in ``memory`` stay as they are."""
    began = time.perf_counter()
    text, offset, newline = as_if_accepted(query)
    if reason := _cannot(engine, text, offset):
        return Outcome(None, Origin.NONE, reason=reason)
    own, usages = 0.0, list[Usage]()
    while True:
        since = time.perf_counter()
        begun = joined(memory.begun, text, offset) if settings.join_stream else None
        if begun is None:
            kept = memory if priority is Priority.COMPLETION else replace(memory)
            begun = await aside(executor, partial(begin, query, kept, engine, settings))
        planned = time.perf_counter()
        generation = await _generated(begun, memory, engine, priority)
        answered = time.perf_counter()
        usages.append(generation.usage)
        if generation.finish is Finish.CANCELLED:
            return Outcome(None, Origin.NONE, generation.usage, reason="a more urgent request took its place")
        cleaned, reason = await aside(executor, partial(judged, generation, begun, offset, query, settings))
        memory.begun = _others(memory.begun, begun)
        own += planned - since + time.perf_counter() - answered
        here = (text, offset) == (begun.text, begun.offset)
        known = cleaned if here else _rest(begun, cleaned, text, offset)
        # Cleaned up for the older place, nothing may be left that would be right for this one.
        if known is not None or reason == _UNSURE:
            break
    if known is not None:
        memory.shown = remember(memory.shown, Shown(text, offset, known.text, known.overwrites))
    outcome = outcome_of(query, known or Cleaned(""), newline, Origin.MODEL, began, reason)
    usage = replace(total(usages), prompt=generation.usage.prompt, reused=generation.usage.reused)
    ms = {"plan": 1000 * (planned - since), **_model_ms(usage), "own": 1000 * own, **outcome.ms}
    return replace(outcome, usage=usage, ms=ms, mean_logprob=generation.mean_logprob(), said=generation.text)


def _cannot(engine: Engine, text: str, offset: int) -> str:
    """Why the model is not asked here; empty where it is."""
    if engine.tokenizer.family.infills or text[offset : text.find("\n", offset) + 1 or None].isspace():
        return ""
    return "" if offset == len(text) else "this model cannot infill, so it is asked at the end of a line only"


async def _generated(begun: Begun, memory: Memory, engine: Engine, priority: Priority) -> Generation:
    """The answer to a request, which others may join until it has been judged."""
    memory.begun = (*_others(memory.begun, begun)[1 - _MOST_BEGUN :], begun)
    try:
        return await engine.generate(replace(begun.request, priority=priority))
    except EngineError:
        memory.begun = _others(memory.begun, begun)
        raise


def _others(all_begun: tuple[Begun, ...], begun: Begun) -> tuple[Begun, ...]:
    return tuple(other for other in all_begun if other is not begun)


def _rest(begun: Begun, cleaned: Cleaned, text: str, offset: int) -> Cleaned | None:
    """What is left of an older request's answer here; None where that says nothing."""
    return remainder((Shown(begun.text, begun.offset, cleaned.text, cleaned.overwrites),), text, offset)


async def prefetch(query: Query, memory: Memory, engine: Engine, settings: Settings, executor: Executor | None) -> bool:
    """Has the answer to a query in hand before it is asked; False where something more urgent came between."""
    if in_hand(query, memory) is not None:
        return True
    outcome = await ask(query, memory, engine, settings, executor, Priority.PREFETCH)
    return outcome.origin is Origin.MODEL


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


async def warm_up(
    query: Query,
    memory: Memory,
    engine: Engine,
    settings: Settings,
    executor: Executor | None = None,
    *,
    prefix_only: bool = False,
) -> None:
    """Reads the prompt for a query, so that the first suggestion there need not. ``prefix_only``: no more of it than a
    cursor further down would share, for when it is not known where the cursor is."""
    plan = await aside(executor, partial(plan_completion, query, memory, engine, settings))
    prompt = before_suffix(plan.prompt) if prefix_only else plan.prompt
    if prompt.segments:
        await engine.generate(Request(prompt, max_tokens=0, priority=Priority.WARM_UP))


async def aside(executor: Executor | None, function: Callable[[], T]) -> T:
    """Runs ``function`` in the executor, or here where there is none."""
    return function() if executor is None else await asyncio.get_running_loop().run_in_executor(executor, function)


def plan_completion(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Plan:
    """The prompt for a query, and what is needed to judge the answer; brings ``memory``'s tree and window up to date.

    Raises ``BudgetTooSmall`` where the settings leave no room for a prompt.
    """
    text, offset, _ = as_if_accepted(query)
    language = find_language(query.document.language, query.path)
    name = language.name if language is not None else ""
    counted = (query.document.line_at(query.offset), query.document.line_count)
    part = excerpt(text, offset, language, memory.excerpt, counted)
    memory.excerpt = part
    memory.syntax = syntax = parse(part.text, name, memory.syntax)
    memory.head = head = parse(head_of(text), name, memory.head)
    scope = scope_at(syntax, part.offset)
    site = site_at(part, offset, scope, head, query.path, query.other_files, query.repository)
    room = min(settings.context_tokens, engine.context_tokens)
    budget = Budget(prompt=room - min(settings.max_tokens, room // 2), head_step=settings.window_step)
    prompt, frame = build_fim(site, settings.layout, budget, engine.tokenizer, settings.heal, memory.frame)
    memory.frame = frame
    specials = unmistakable(engine.tokenizer.family)
    return Plan(prompt, syntax, part.offset, scope, specials)


def begin(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Begun:
    """The request for a query. Raises ``BudgetTooSmall``."""
    text, offset, _ = as_if_accepted(query)
    plan = plan_completion(query, memory, engine, settings)
    place = _place(plan, settings)
    next_line = next(iter(place.below), "")
    stopper = Stopper(plan.syntax, plan.offset, place.scope, place.extent, next_line) if settings.early_stop else None
    request = Request(
        plan.prompt,
        settings.max_tokens,
        Sampling(settings.temperature, seed=settings.seed),
        on_text=stopper,
        drafts=settings.drafts,
        hint=memory.shown[-1].insert if memory.shown else "",
        progress=(progress := Progress()),
    )
    return Begun(text, offset, plan, request, progress)


def _place(plan: Plan, settings: Settings) -> Place:
    place = Place(plan.syntax, plan.offset, plan.scope, Extent.LINE, specials=plan.specials)
    if not settings.multiline:
        return place
    extent = extent_at(plan.scope, text_follows=not only_closers(place.rest))
    # A block that the line would open has its statements below already.
    return replace(place, extent=Extent.LINE if extent is Extent.REST and place.deeper_below else extent)


def judged(generation: Generation, begun: Begun, offset: int, query: Query, settings: Settings) -> tuple[Cleaned, str]:
    """What may be shown of an answer, or why nothing may; confidence is that of what follows ``offset``, the cursor."""
    if not generation.text.strip():
        return Cleaned(""), "the model has nothing to add"
    if generation.mean_logprob(offset - begun.offset) < settings.min_confidence and not query.explicit:
        return Cleaned(""), _UNSURE
    place = replace(_place(begun.plan, settings), cut_off=generation.finish is Finish.LENGTH)
    cleaned = clean(generation.text, place)
    return cleaned, "" if cleaned.text else "nothing that is safe to accept was left"


def outcome_of(
    query: Query,
    cleaned: Cleaned,
    newline: str,
    origin: Origin,
    began: float | None = None,
    reason: str = "nothing to suggest here",
) -> Outcome:
    """What a user is told of a cleaned text. ``began``: by ``time.perf_counter``."""
    ms = {"total": 1000 * (time.perf_counter() - began)} if began is not None else {}
    if not cleaned.text:
        return Outcome(None, origin, ms=ms, reason=reason)
    span, text = Span(query.offset, query.offset + cleaned.overwrites), cleaned.text
    if query.selected is not None and usable(query):
        selected = query.selected
        span, text = Span(selected.span.start, selected.span.end + cleaned.overwrites), selected.text + text
    return Outcome(Suggestion(uuid.uuid4().hex, span, text.replace("\n", newline)), origin, ms=ms)


def _model_ms(usage: Usage) -> dict[str, float]:
    return {"queue": usage.queue_ms, "prefill": usage.prefill_ms, "decode": usage.decode_ms}
