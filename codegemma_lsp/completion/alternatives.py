"""Further suggestions for a place where one was asked for by hand: drawn, and different from the first."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

from codegemma_lsp.completion.pipeline import aside, begin, judged, outcome_of
from codegemma_lsp.completion.types import Memory, Origin, Outcome, Query, Shown, Suggestion
from codegemma_lsp.completion.view import as_if_accepted
from codegemma_lsp.engines.base import Engine, Finish, Progress, Sampling
from codegemma_lsp.settings import Settings

_TEMPERATURE = 0.8
_TRIES = 2
"""Draws for each that is wanted: many come to the same."""


async def alternatives(
    query: Query, first: Outcome, memory: Memory, engine: Engine, settings: Settings, executor: Executor | None = None
) -> tuple[Suggestion, ...]:
    """At most ``settings.alternatives`` suggestions besides the ``first``. The prompt is read already, so each costs
    its own tokens only. Raises what ``Engine.generate`` raises; cancelling the task cancels the model."""
    if first.suggestion is None:
        return ()
    text, offset, newline = as_if_accepted(query)
    begun = await aside(executor, partial(begin, query, replace(memory), engine, settings))
    found, seen = list[Suggestion](), {first.suggestion.text}
    for seed in range(settings.seed + 1, settings.seed + 1 + _TRIES * settings.alternatives):
        sampling = Sampling(max(settings.temperature, _TEMPERATURE), seed=seed)
        request = replace(begun.request, sampling=sampling, drafts=0, progress=Progress())
        generation = await engine.generate(request)
        if generation.finish is Finish.CANCELLED:
            break
        cleaned, _ = await aside(executor, partial(judged, generation, begun, offset, query, settings))
        suggestion = outcome_of(query, cleaned, newline, Origin.MODEL).suggestion
        if suggestion is not None and suggestion.text not in seen:
            seen.add(suggestion.text)
            found.append(suggestion)
            # Whichever is chosen: what is typed of it is answered without the model. The first one stays the newest.
            memory.shown = (Shown(text, offset, cleaned.text, cleaned.overwrites), *memory.shown)
        if len(found) == settings.alternatives:
            break
        await asyncio.sleep(0)
    return tuple(found)
