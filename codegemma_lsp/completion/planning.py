"""The steps from a cursor to a prompt: excerpt, tree, scope, window. Nothing here waits for a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.completion.postprocess import InsertionPoint, only_closers
from codegemma_lsp.completion.stopping import StoppingCriteria
from codegemma_lsp.completion.types import PendingRequest, Plan, Planning, Query
from codegemma_lsp.context import cursor_context
from codegemma_lsp.engines.protocol import Engine, Progress, Request, Sampling
from codegemma_lsp.prompt import (
    LONGEST_PIECE,
    Budget,
    CursorContext,
    OtherFile,
    Prompt,
    PromptWindow,
    build_fim,
    unmistakable,
)
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Extent, cursor_scope, excerpt, extent_at, find_language, head_of, parse

_SMALLEST_WINDOW = 64
_SPARE = 0.4
"""The share of a near window that is left free, so that the window need not move while the whole prompt is
prefilled."""
_SOON_S = 0.1
"""The prefill time in seconds that other pieces of other files may cost at once while a request waits."""
_NEAR_STEP = 4
"""The number of lines in whose multiples a near window's head moves."""


def plan_completion(
    query: Query, before: Planning, engine: Engine, settings: Settings, first_window_ms: int = 0
) -> tuple[Plan, Planning]:
    """Returns the prompt for a query with what is needed to judge the answer, and the planning for the next plan of
    this document. ``before`` is the planning that the last plan returned.

    A positive ``first_window_ms`` means that a request waits. A prompt that takes longer to prefill than this is then
    postponed, and a smaller one is made. Other pieces of other files than before wait until ``warm_up`` has prefilled
    the prompt with them.

    Raises ``BudgetTooSmall`` if the settings leave no room for a prompt.
    """
    cursor = cursor_text(query)
    language = find_language(query.document.language, query.path)
    name = language.name if language is not None else ""
    counted = (query.document.line_at(query.offset), query.document.line_count)
    part = excerpt(cursor.text, cursor.offset, language, before.excerpt, counted)
    syntax = parse(part.text, name, before.syntax)
    head = parse(head_of(cursor.text), name, before.head)
    scope = cursor_scope(syntax, part.offset)
    reach = LONGEST_PIECE * settings.context_tokens
    context = cursor_context(
        part, cursor.offset, scope, head, path=query.path, repository=query.repository, reach=reach
    )
    prompts = _Prompts(context, engine, settings)
    shown = prompts.shown(query.other_files, before, first_window_ms)
    plan = Plan(
        prompt=shown.prompt,
        syntax=syntax,
        offset=part.offset,
        scope=scope,
        text=cursor.text,
        text_offset=cursor.offset,
        specials=unmistakable(engine.tokenizer.family),
        near=shown.near,
        other_files=shown.other_files,
    )
    return plan, replace(shown.planning, excerpt=part, syntax=syntax, head=head)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The prompt that is used, and the planning for the next plan."""

    prompt: Prompt
    planning: Planning
    near: bool = False

    @property
    def other_files(self) -> tuple[OtherFile, ...]:
        return () if self.near else self.planning.other_files


@dataclass(frozen=True, slots=True)
class _Prompts:
    """The prompts that can be made for a cursor. The engine may have prefilled some of them already."""

    context: CursorContext
    engine: Engine
    settings: Settings

    @property
    def budget(self) -> Budget:
        room = min(self.settings.context_tokens, self.engine.context_tokens)
        prompt = room - min(self.settings.max_tokens, room // 2)
        other_files = min(self.settings.other_files_tokens, prompt // 2)
        return Budget(prompt=prompt, head_step=self.settings.window_step, other_files=other_files)

    def shown(self, wanted: tuple[OtherFile, ...], before: Planning, first_window_ms: int) -> _Shown:
        """Returns the whole prompt, with the pieces that are ``wanted`` or those that were there ``before``, or a near
        prompt."""
        chosen = self._with_other_files(wanted, before, first_window_ms)
        if not first_window_ms:
            return chosen
        unread = self.engine.unread(chosen.prompt)
        if not unread > (most := int(self.engine.prefill_speed * first_window_ms / 1000)) > 0:
            return chosen
        small, near = self._build(_near(self.budget, most), (), before.near)
        is_near = self.engine.unread(small) < unread
        return _Shown(small if is_near else chosen.prompt, replace(chosen.planning, near=near), is_near)

    def _with_other_files(self, wanted: tuple[OtherFile, ...], before: Planning, first_window_ms: int) -> _Shown:
        if wanted == before.other_files:
            prompt, window = self._build(self.budget, wanted, before.window)
            return _Shown(prompt, replace(before, window=window, ahead=None))
        prompt, ahead = self._build(self.budget, wanted, before.ahead)
        taken_over = replace(before, window=ahead, other_files=wanted, ahead=None)
        if not first_window_ms:
            return _Shown(prompt, taken_over)
        kept, window = self._build(self.budget, before.other_files, before.window)
        soon = int(self.engine.prefill_speed * _SOON_S)
        if self.engine.unread(prompt) <= max(self.engine.unread(kept), soon):
            return _Shown(prompt, taken_over)
        return _Shown(kept, replace(before, window=window, ahead=ahead))

    def _build(
        self, budget: Budget, other_files: tuple[OtherFile, ...], previous: PromptWindow | None
    ) -> tuple[Prompt, PromptWindow]:
        context = replace(self.context, other_files=other_files)
        layout, heal = self.settings.layout, self.settings.heal
        return build_fim(context, layout, budget, self.engine.tokenizer, heal, previous)


def _near(budget: Budget, tokens: int) -> Budget:
    """Returns the budget of a window of which about ``tokens`` tokens are prefilled at first: the suffix, and the
    prefix without its spare part."""
    filled = budget.suffix_share + (1 - budget.suffix_share) * (1 - _SPARE)
    prompt = int(max(_SMALLEST_WINDOW, tokens) / filled)
    return replace(budget, prompt=min(budget.prompt, prompt), spare=_SPARE, head_step=_NEAR_STEP)


def pending_request(query: Query, plan: Plan, settings: Settings, hint: str = "") -> PendingRequest:
    """Returns the request for a plan. ``hint`` is a text whose tokens are offered as guesses of what the model
    generates."""
    cursor = cursor_text(query)
    point = insertion_point(plan, settings)
    next_line = next(iter(point.below), "")
    criteria = StoppingCriteria(plan.syntax, plan.offset, point.scope, point.extent, next_line)
    request = Request(
        prompt=plan.prompt,
        max_tokens=settings.max_tokens,
        sampling=Sampling(temperature=settings.temperature, seed=settings.seed),
        on_text=criteria if settings.early_stop else None,
        drafts=settings.drafts,
        hint=hint,
        progress=(progress := Progress()),
    )
    return PendingRequest(text=cursor.text, offset=cursor.offset, plan=plan, request=request, progress=progress)


def insertion_point(plan: Plan, settings: Settings) -> InsertionPoint:
    """Returns where the answer to a plan goes, and how much of it is suggested there."""
    point = InsertionPoint(
        syntax=plan.syntax,
        offset=plan.offset,
        scope=plan.scope,
        extent=Extent.LINE,
        text=plan.text,
        text_offset=plan.text_offset,
        specials=plan.specials,
    )
    if not settings.multiline:
        return point
    extent = extent_at(plan.scope, text_follows=not only_closers(point.rest))
    # If the line opened a block here, its statements would already stand below.
    return replace(point, extent=Extent.LINE if extent is Extent.REST and point.deeper_below else extent)
