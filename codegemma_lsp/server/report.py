"""Completes a query for a handler, and reports its token counts and times if the client asked for them."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.completion import Outcome, Query
from codegemma_lsp.engines.protocol import Usage
from codegemma_lsp.server.app import server

COMPLETED = "codegemma/completed"


async def completed(query: Query, method: str) -> Outcome:
    outcome = await server.session.complete(query, method)
    if server.session.settings.report_completions:
        server.protocol.notify(COMPLETED, report(query, outcome))
    return outcome


def report(query: Query, outcome: Outcome) -> dict[str, Any]:
    """Returns counts and times of one completion for benchmarks, without source text. ``total`` has the sums of the
    engine."""
    usage, engine = outcome.usage, server.session.manager.engine
    total = engine.usage if engine is not None else Usage()
    return {
        "uri": query.document.uri,
        "version": query.document.version,
        "origin": outcome.origin.value,
        "reason": outcome.reason,
        "meanLogprob": outcome.mean_logprob,
        "tokens": {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "prefill": usage.prefill_tokens,
            "completion": usage.completion_tokens,
            "draft": usage.draft_tokens,
            "acceptedDraft": usage.accepted_draft_tokens,
        },
        "total": {"prefill": total.prefill_tokens, "completion": total.completion_tokens},
        "ms": {name: round(value, 3) for name, value in outcome.ms.items()},
    }
