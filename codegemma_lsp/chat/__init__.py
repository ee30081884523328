"""Chat and edits: ``ask`` answers a question as a stream of text, and ``propose`` returns an edit that a user may
accept."""

from codegemma_lsp.chat.actions import EDITS, TITLES, parse_command, propose
from codegemma_lsp.chat.apply_code import apply_code
from codegemma_lsp.chat.code import fenced
from codegemma_lsp.chat.commit import commit_message
from codegemma_lsp.chat.conversation import EXPLAIN, Conversation, ConversationStore, ask
from codegemma_lsp.chat.generate import plain_answer
from codegemma_lsp.chat.proposed_tests import report, run_tests, without_failed
from codegemma_lsp.chat.references import (
    around_reference,
    file_reference,
    selection_reference,
    symbol_reference,
    written_in,
)
from codegemma_lsp.chat.types import Action, Answer, ChatContext, OnDelta, Proposal, Reference, RequestRefused, Target
from codegemma_lsp.chat.write_tests import Project

__all__ = [
    "EDITS",
    "EXPLAIN",
    "TITLES",
    "Action",
    "Answer",
    "ChatContext",
    "Conversation",
    "ConversationStore",
    "OnDelta",
    "Project",
    "Proposal",
    "Reference",
    "RequestRefused",
    "Target",
    "apply_code",
    "around_reference",
    "ask",
    "commit_message",
    "fenced",
    "file_reference",
    "parse_command",
    "plain_answer",
    "propose",
    "report",
    "run_tests",
    "selection_reference",
    "symbol_reference",
    "without_failed",
    "written_in",
]
