"""CodeGemma's prompt formats: the only room that knows its special tokens and how infills are laid out."""

from codegemma_lsp.prompt.chat import ChatImpossible, Message, Role, build_chat
from codegemma_lsp.prompt.fim import (
    LONGEST_LINE,
    LONGEST_PIECE,
    SPECIALS_IN_FIM,
    Budget,
    Frame,
    Site,
    before_suffix,
    build_fim,
)
from codegemma_lsp.prompt.plain import build_prefix
from codegemma_lsp.prompt.types import (
    CODEGEMMA_IDS,
    BudgetTooSmall,
    Layout,
    Markup,
    Prompt,
    Segment,
    Special,
    Text,
    Tokenizer,
    count_tokens,
)

__all__ = [
    "CODEGEMMA_IDS",
    "LONGEST_LINE",
    "LONGEST_PIECE",
    "SPECIALS_IN_FIM",
    "Budget",
    "BudgetTooSmall",
    "ChatImpossible",
    "Frame",
    "Layout",
    "Markup",
    "Message",
    "Prompt",
    "Role",
    "Segment",
    "Site",
    "Special",
    "Text",
    "Tokenizer",
    "before_suffix",
    "build_chat",
    "build_fim",
    "build_prefix",
    "count_tokens",
]
