"""What became of suggestions, kept on this machine alone: counts by day, language and model, without code and
paths. Nothing is ever sent."""

from codegemma_lsp.usage.retention import Followed, follow, kept, new_characters, with_changes
from codegemma_lsp.usage.store import Count, Store, What, state_folder
from codegemma_lsp.usage.summary import Summary, grouped, summary_of

__all__ = [
    "Count",
    "Followed",
    "Store",
    "Summary",
    "What",
    "follow",
    "grouped",
    "kept",
    "new_characters",
    "state_folder",
    "summary_of",
    "with_changes",
]
