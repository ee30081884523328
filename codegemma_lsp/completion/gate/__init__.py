"""Decides when nothing is shown, although the model may have an answer. What the gate refuses is never hidden from an
explicit request."""

from codegemma_lsp.completion.gate.dismissals import Dismissal, dismissal_of, is_dismissed
from codegemma_lsp.completion.gate.quiet import Moment, Silence, removes, silence

__all__ = ["Dismissal", "Moment", "Silence", "dismissal_of", "is_dismissed", "removes", "silence"]
