"""Code at the cursor: a query in, a suggestion that is safe to accept out."""

from codegemma_lsp.completion.pipeline import complete, plan_completion
from codegemma_lsp.completion.types import Memory, Origin, Outcome, Plan, Query, Selected, Shown, Suggestion

__all__ = [
    "Memory",
    "Origin",
    "Outcome",
    "Plan",
    "Query",
    "Selected",
    "Shown",
    "Suggestion",
    "complete",
    "plan_completion",
]
