"""The straight line from a cursor to a suggestion: reuse, context, prompt, engine, clean-up."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from codegemma_lsp.completion.clean import Place, clean, only_closers, overwritten
from codegemma_lsp.completion.reuse import remainder, remember
from codegemma_lsp.completion.stop import Stopper
from codegemma_lsp.completion.types import Memory, Origin, Outcome, Plan, Query, Shown, Suggestion
from codegemma_lsp.context import site_at
from codegemma_lsp.document import Span
from codegemma_lsp.engines.base import Engine, Generation, Request, Sampling
from codegemma_lsp.prompt import Budget, build_fim
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Extent, excerpt, extent_at, find_language, head_of, parse, scope_at


async def complete(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Outcome:
    """One completion. ``memory`` is that of the query's document and is brought up to date.

    Raises what ``Engine.generate`` raises. Cancelling the task cancels the model and leaves ``memory`` usable.
    """
    began = time.perf_counter()
    text, offset, newline = _as_if_accepted(query)
    known = remainder(memory.shown, text, offset)
    if known or (known == "" and not query.explicit):
        return _outcome(query, known or "", text, offset, newline, Origin.REUSE, began)
    plan = plan_completion(query, memory, engine, settings)
    planned = time.perf_counter()
    place = _place(plan, settings)
    next_line = place.below[0] if place.below else ""
    stopper = Stopper(plan.syntax, plan.offset, place.scope, place.extent, next_line)
    generation = await engine.generate(
        Request(plan.prompt, settings.max_tokens, Sampling(settings.temperature, seed=settings.seed), on_text=stopper)
    )
    answered = time.perf_counter()
    insert = _worth_showing(clean(generation.text, place), generation, query, settings)
    memory.shown = remember(memory.shown, Shown(text, offset, insert))
    outcome = _outcome(query, insert, text, offset, newline, Origin.MODEL, began)
    own = (planned - began) + (time.perf_counter() - answered)
    reason = outcome.reason or ("" if insert else _why_nothing(generation, query, settings))
    ms = {"plan": 1000 * (planned - began), **_model_ms(generation), "own": 1000 * own, "total": outcome.ms["total"]}
    return replace(outcome, usage=generation.usage, ms=ms, reason=reason, mean_logprob=generation.mean_logprob)


def plan_completion(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Plan:
    """The prompt for a query, and what is needed to judge the answer; brings ``memory``'s tree and window up to date.

    Raises ``BudgetTooSmall`` where the settings leave no room for a prompt.
    """
    text, offset, _ = _as_if_accepted(query)
    language = find_language(query.document.language, query.path)
    name = language.name if language is not None else ""
    part = excerpt(text, offset, language, memory.excerpt)
    memory.excerpt = part
    memory.syntax = syntax = parse(part.text, name, memory.syntax)
    memory.head = head = parse(head_of(text), name, memory.head)
    scope = scope_at(syntax, part.offset)
    site = site_at(part, offset, scope, head, query.path)
    room = min(settings.context_tokens, engine.context_tokens)
    budget = Budget(prompt=room - min(settings.max_tokens, room // 2))
    prompt, frame = build_fim(site, settings.layout, budget, engine.tokenizer, settings.heal, memory.frame)
    memory.frame = frame
    return Plan(prompt, syntax, part.offset, scope)


def _as_if_accepted(query: Query) -> tuple[str, int, str]:
    """The text with LF line ends and the selected list entry in place, the cursor in it, and the file's line end."""
    text, offset, newline = query.document.text, query.offset, "\n"
    if query.selected is not None and _usable(query):
        span = query.selected.span
        text = text[: span.start] + query.selected.text + text[span.end :]
        offset = span.start + len(query.selected.text)
    if "\r" in text:
        newline = "\r\n" if "\r\n" in text else "\r"
        offset = len(_lf(text[:offset]))
        text = _lf(text)
    return text, offset, newline


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _usable(query: Query) -> bool:
    """Whether the selected entry's range is what the protocol asks for: on the cursor's line, with the cursor in it."""
    assert query.selected is not None
    span, document = query.selected.span, query.document
    same_line = document.line_at(span.start) == document.line_at(span.end)
    return same_line and span.start <= query.offset <= span.end and "\n" not in query.selected.text


def _place(plan: Plan, settings: Settings) -> Place:
    place = Place(plan.syntax, plan.offset, plan.scope, Extent.LINE)
    if not settings.multiline:
        return place
    return replace(place, extent=extent_at(plan.scope, text_follows=not only_closers(place.rest)))


def _worth_showing(insert: str, generation: Generation, query: Query, settings: Settings) -> str:
    unsure = generation.mean_logprob < settings.min_confidence
    return "" if unsure and not query.explicit else insert


def _why_nothing(generation: Generation, query: Query, settings: Settings) -> str:
    if not generation.text.strip():
        return "the model has nothing to add"
    if generation.mean_logprob < settings.min_confidence and not query.explicit:
        return "the model is unsure"
    return "nothing that is safe to accept was left"


def _outcome(query: Query, insert: str, text: str, offset: int, newline: str, origin: Origin, began: float) -> Outcome:
    ms = {"total": 1000 * (time.perf_counter() - began)}
    if not insert:
        return Outcome(None, origin, ms=ms, reason="nothing to suggest here" if origin is Origin.REUSE else "")
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    rest = text[offset : len(text) if end < 0 else end]
    size = overwritten(insert, text[start:offset], rest)
    selected = query.selected if query.selected is not None and _usable(query) else None
    span = Span(query.offset, query.offset + size)
    if selected is not None:
        span = Span(selected.span.start, selected.span.end + size)
        insert = selected.text + insert
    return Outcome(Suggestion(uuid.uuid4().hex, span, insert.replace("\n", newline)), origin, ms=ms)


def _model_ms(generation: Generation) -> dict[str, float]:
    usage = generation.usage
    return {"queue": usage.queue_ms, "prefill": usage.prefill_ms, "decode": usage.decode_ms}
