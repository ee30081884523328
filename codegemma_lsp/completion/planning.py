"""From a cursor to a prompt: excerpt, tree, scope, window. Nothing here waits for a model."""

from __future__ import annotations

from dataclasses import replace

from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.completion.postprocess import InsertionPoint, only_closers
from codegemma_lsp.completion.stopping import StoppingCriteria
from codegemma_lsp.completion.types import PendingRequest, Plan, Planning, Query
from codegemma_lsp.context import cursor_context
from codegemma_lsp.engines.protocol import Engine, Progress, Request, Sampling
from codegemma_lsp.prompt import Budget, build_fim, unmistakable
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Extent, cursor_scope, excerpt, extent_at, find_language, head_of, parse


def plan_completion(query: Query, before: Planning, engine: Engine, settings: Settings) -> tuple[Plan, Planning]:
    """The prompt for a query and what is needed to judge the answer; and the trees and the window to begin the next
    plan for this document with. ``before`` is what the last one returned.

    Raises ``BudgetTooSmall`` where the settings leave no room for a prompt.
    """
    cursor = cursor_text(query)
    language = find_language(query.document.language, query.path)
    name = language.name if language is not None else ""
    counted = (query.document.line_at(query.offset), query.document.line_count)
    part = excerpt(cursor.text, cursor.offset, language, before.excerpt, counted)
    syntax = parse(part.text, name, before.syntax)
    head = parse(head_of(cursor.text), name, before.head)
    scope = cursor_scope(syntax, part.offset)
    context = cursor_context(part, cursor.offset, scope, head, query.path, query.other_files, query.repository)
    room = min(settings.context_tokens, engine.context_tokens)
    budget = Budget(prompt=room - min(settings.max_tokens, room // 2), head_step=settings.window_step)
    prompt, window = build_fim(context, settings.layout, budget, engine.tokenizer, settings.heal, before.window)
    plan = Plan(prompt, syntax, part.offset, scope, unmistakable(engine.tokenizer.family))
    return plan, Planning(part, syntax, head, window)


def pending_request(query: Query, plan: Plan, settings: Settings, hint: str = "") -> PendingRequest:
    """The request for a plan. ``hint`` is a text whose tokens may be guessed to come."""
    cursor = cursor_text(query)
    point = insertion_point(plan, settings)
    next_line = next(iter(point.below), "")
    criteria = StoppingCriteria(plan.syntax, plan.offset, point.scope, point.extent, next_line)
    request = Request(
        plan.prompt,
        settings.max_tokens,
        Sampling(settings.temperature, seed=settings.seed),
        on_text=criteria if settings.early_stop else None,
        drafts=settings.drafts,
        hint=hint,
        progress=(progress := Progress()),
    )
    return PendingRequest(cursor.text, cursor.offset, plan, request, progress)


def insertion_point(plan: Plan, settings: Settings) -> InsertionPoint:
    """Where the answer to a plan goes, and how much of it is suggested there."""
    point = InsertionPoint(plan.syntax, plan.offset, plan.scope, Extent.LINE, specials=plan.specials)
    if not settings.multiline:
        return point
    extent = extent_at(plan.scope, text_follows=not only_closers(point.rest))
    # A block that the line would open has its statements below already.
    return replace(point, extent=Extent.LINE if extent is Extent.REST and point.deeper_below else extent)
