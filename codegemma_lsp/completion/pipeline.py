"""The straight line from a cursor to a suggestion: reuse, context, prompt, engine, clean-up."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace

from codegemma_lsp.completion.clean import Cleaned, Place, clean
from codegemma_lsp.completion.closers import only_closers
from codegemma_lsp.completion.reuse import remainder, remember
from codegemma_lsp.completion.stop import Stopper
from codegemma_lsp.completion.types import Memory, Origin, Outcome, Plan, Query, Shown, Suggestion
from codegemma_lsp.context import site_at
from codegemma_lsp.document import Span
from codegemma_lsp.engines.base import Engine, Finish, Generation, Request, Sampling
from codegemma_lsp.prompt import Budget, build_fim
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Extent, excerpt, extent_at, find_language, head_of, parse, scope_at

_LINE_END = re.compile(r"\r\n|\n|\r")


async def complete(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Outcome:
    """One completion. ``memory`` is that of the query's document and is brought up to date.

    Raises what ``Engine.generate`` raises. Cancelling the task cancels the model and leaves ``memory`` usable.
    """
    began = time.perf_counter()
    text, offset, newline = _as_if_accepted(query)
    known = remainder(memory.shown, text, offset)
    if known is not None and (known.text or not query.explicit):
        return _outcome(query, known, newline, Origin.REUSE, began)
    plan = _plan(text, offset, query, memory, engine, settings)
    planned = time.perf_counter()
    place = _place(plan, settings)
    stopper = Stopper(plan.syntax, plan.offset, place.scope, place.extent, next(iter(place.below), ""))
    sampling = Sampling(settings.temperature, seed=settings.seed)
    generation = await engine.generate(Request(plan.prompt, settings.max_tokens, sampling, on_text=stopper))
    answered = time.perf_counter()
    cleaned, reason = _judged(generation, place, query, settings)
    memory.shown = remember(memory.shown, Shown(text, offset, cleaned.text, cleaned.overwrites))
    outcome = _outcome(query, cleaned, newline, Origin.MODEL, began, reason)
    own = 1000 * ((planned - began) + (time.perf_counter() - answered))
    ms = {"plan": 1000 * (planned - began), **_model_ms(generation), "own": own, "total": outcome.ms["total"]}
    return replace(outcome, usage=generation.usage, ms=ms, mean_logprob=generation.mean_logprob)


def plan_completion(query: Query, memory: Memory, engine: Engine, settings: Settings) -> Plan:
    """The prompt for a query, and what is needed to judge the answer; brings ``memory``'s tree and window up to date.

    Raises ``BudgetTooSmall`` where the settings leave no room for a prompt.
    """
    text, offset, _ = _as_if_accepted(query)
    return _plan(text, offset, query, memory, engine, settings)


def _plan(text: str, offset: int, query: Query, memory: Memory, engine: Engine, settings: Settings) -> Plan:
    language = find_language(query.document.language, query.path)
    name = language.name if language is not None else ""
    part = excerpt(text, offset, language, memory.excerpt)
    memory.excerpt = part
    memory.syntax = syntax = parse(part.text, name, memory.syntax)
    memory.head = head = parse(head_of(text), name, memory.head)
    scope = scope_at(syntax, part.offset)
    site = site_at(part, offset, scope, head, query.path, query.other_files)
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
        newline = _line_end(text, offset)
        offset = len(_lf(text[:offset]))
        text = _lf(text)
    return text, offset, newline


def _line_end(text: str, offset: int) -> str:
    """The line end of the cursor's line, else that of the line above it."""
    found = _LINE_END.search(text, offset)
    if found is None:
        found = next(iter(_LINE_END.finditer(text, max(0, text.rfind("\n", 0, offset) - 1), offset)), None)
    return found.group() if found is not None else "\n"


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
    extent = extent_at(plan.scope, text_follows=not only_closers(place.rest))
    # A block that the line would open has its statements below already.
    return replace(place, extent=Extent.LINE if extent is Extent.REST and place.deeper_below else extent)


def _judged(generation: Generation, place: Place, query: Query, settings: Settings) -> tuple[Cleaned, str]:
    """What may be shown of an answer, or why nothing may."""
    if not generation.text.strip():
        return Cleaned(""), "the model has nothing to add"
    if generation.mean_logprob < settings.min_confidence and not query.explicit:
        return Cleaned(""), "the model is unsure"
    cleaned = clean(generation.text, replace(place, cut_off=generation.finish is Finish.LENGTH))
    return cleaned, "" if cleaned.text else "nothing that is safe to accept was left"


def _outcome(
    query: Query, cleaned: Cleaned, newline: str, origin: Origin, began: float, reason: str = "nothing to suggest here"
) -> Outcome:
    ms = {"total": 1000 * (time.perf_counter() - began)}
    if not cleaned.text:
        return Outcome(None, origin, ms=ms, reason=reason)
    span, text = Span(query.offset, query.offset + cleaned.overwrites), cleaned.text
    if query.selected is not None and _usable(query):
        selected = query.selected
        span, text = Span(selected.span.start, selected.span.end + cleaned.overwrites), selected.text + text
    return Outcome(Suggestion(uuid.uuid4().hex, span, text.replace("\n", newline)), origin, ms=ms)


def _model_ms(generation: Generation) -> dict[str, float]:
    usage = generation.usage
    return {"queue": usage.queue_ms, "prefill": usage.prefill_ms, "decode": usage.decode_ms}
