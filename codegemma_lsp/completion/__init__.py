"""Code at the cursor: a query in, a suggestion that is safe to accept out."""

from codegemma_lsp.completion.alternatives import alternatives
from codegemma_lsp.completion.cache import LONG_TEXT
from codegemma_lsp.completion.debounce import AdaptiveDebounce
from codegemma_lsp.completion.pipeline import Completer, accepted, complete, lookup, may_join
from codegemma_lsp.completion.planning import plan_completion
from codegemma_lsp.completion.types import (
    CachedSuggestion,
    DocumentState,
    Origin,
    Outcome,
    Plan,
    Planning,
    Query,
    Selected,
    Suggestion,
)

__all__ = [
    "LONG_TEXT",
    "AdaptiveDebounce",
    "CachedSuggestion",
    "Completer",
    "DocumentState",
    "Origin",
    "Outcome",
    "Plan",
    "Planning",
    "Query",
    "Selected",
    "Suggestion",
    "accepted",
    "alternatives",
    "complete",
    "lookup",
    "may_join",
    "plan_completion",
]
