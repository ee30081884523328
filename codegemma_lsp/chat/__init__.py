"""Chat and edits: questions in, streams of text out; selections in, proposals out that a user may accept."""

from codegemma_lsp.chat.actions import EDITS, TITLES, parse_command, propose
from codegemma_lsp.chat.ask import EXPLAIN, Conversation, ConversationStore, ask
from codegemma_lsp.chat.code import fenced
from codegemma_lsp.chat.commit import commit_message
from codegemma_lsp.chat.cover import Project
from codegemma_lsp.chat.references import file_reference, selection_reference, symbol_reference, written_in
from codegemma_lsp.chat.types import Action, Answer, Proposal, Reference, Refused, Say, Target

__all__ = [
    "EDITS",
    "EXPLAIN",
    "TITLES",
    "Action",
    "Answer",
    "Conversation",
    "ConversationStore",
    "Project",
    "Proposal",
    "Reference",
    "Refused",
    "Say",
    "Target",
    "ask",
    "commit_message",
    "fenced",
    "file_reference",
    "parse_command",
    "propose",
    "selection_reference",
    "symbol_reference",
    "written_in",
]
