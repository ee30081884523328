"""Code at the cursor: a query in, a suggestion that is safe to accept out."""

from codegemma_lsp.completion.alternatives import alternatives
from codegemma_lsp.completion.pace import Pace
from codegemma_lsp.completion.pipeline import (
    accepted,
    ask,
    complete,
    in_hand,
    may_join,
    plan_completion,
    prefetch,
    warm_up,
)
from codegemma_lsp.completion.reuse import LONG_TEXT
from codegemma_lsp.completion.types import Memory, Origin, Outcome, Plan, Query, Selected, Shown, Suggestion

__all__ = [
    "LONG_TEXT",
    "Memory",
    "Origin",
    "Outcome",
    "Pace",
    "Plan",
    "Query",
    "Selected",
    "Shown",
    "Suggestion",
    "accepted",
    "alternatives",
    "ask",
    "complete",
    "in_hand",
    "may_join",
    "plan_completion",
    "prefetch",
    "warm_up",
]
