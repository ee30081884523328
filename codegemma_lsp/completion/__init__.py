"""Turns a query for a cursor into a suggestion that adds no syntax error."""

from codegemma_lsp.completion.alternatives import alternatives
from codegemma_lsp.completion.cache import LONG_TEXT
from codegemma_lsp.completion.cursor import cursor_in_file
from codegemma_lsp.completion.debounce import AdaptiveDebounce
from codegemma_lsp.completion.explanation import Explanation, explain
from codegemma_lsp.completion.gate import Dismissal, Moment, Silence, dismissal_of, is_dismissed, removes, silence
from codegemma_lsp.completion.pipeline import Completer, accepted, complete, lookup
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
    "Dismissal",
    "DocumentState",
    "Explanation",
    "Moment",
    "Origin",
    "Outcome",
    "Plan",
    "Planning",
    "Query",
    "Selected",
    "Silence",
    "Suggestion",
    "accepted",
    "alternatives",
    "complete",
    "cursor_in_file",
    "dismissal_of",
    "explain",
    "is_dismissed",
    "lookup",
    "plan_completion",
    "removes",
    "silence",
]
