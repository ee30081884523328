"""Further suggestions for an explicit request, sampled from the model and different from the first one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from codegemma_lsp.completion.cache import cached, remember, remember_beside
from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.completion.pipeline import Completer, outcome_of
from codegemma_lsp.completion.planning import pending_request, plan_completion
from codegemma_lsp.completion.types import DocumentState, Origin, Outcome, Query, Suggestion
from codegemma_lsp.engines.protocol import Finish, Progress, Sampling

_TEMPERATURE = 0.8
_TRIES = 2
"""The number of samples for each wanted suggestion, because many samples are equal."""


async def alternatives(
    query: Query, first: Outcome, state: DocumentState, completer: Completer
) -> tuple[Suggestion, ...]:
    """Returns at most ``settings.alternatives`` suggestions besides ``first``, which may be without one.

    The prompt is already cached, so that each suggestion costs only its own tokens. Raises what ``Engine.generate``
    raises. Cancelling the task cancels the generation.
    """
    cursor, settings, engine = cursor_text(query), completer.settings, completer.engine
    plan, _ = await completer.aside(partial(plan_completion, query, state.planning, engine, settings))
    pending = pending_request(query, plan, settings)
    found, seen = list[Suggestion](), {first.suggestion.text} if first.suggestion is not None else set[str]()
    for seed in range(settings.seed + 1, settings.seed + 1 + _TRIES * settings.alternatives):
        sampling = Sampling(temperature=max(settings.temperature, _TEMPERATURE), seed=seed)
        generation = await engine.generate(replace(pending.request, sampling=sampling, drafts=0, progress=Progress()))
        if generation.finish is Finish.CANCELLED:
            break
        insertion, _ = await completer.aside(partial(completer.judge, query, pending, generation, cursor.offset))
        suggestion = outcome_of(query, insertion, cursor.newline, Origin.MODEL).suggestion
        if suggestion is not None and suggestion.text not in seen:
            # All of them go into the cache, so that typing along any of them is answered.
            keep = remember_beside if first.suggestion or found else remember
            state.suggestions = keep(state.suggestions, cached(cursor, insertion))
            seen.add(suggestion.text)
            found.append(suggestion)
        if len(found) == settings.alternatives:
            break
        await asyncio.sleep(0)
    return tuple(found)
