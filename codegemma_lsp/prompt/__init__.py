"""Prompts: the only package that knows special tokens, and how infills and conversations are laid out."""

from codegemma_lsp.prompt.chat_template import ChatImpossible, Message, Role, build_chat
from codegemma_lsp.prompt.detect import About, family_of
from codegemma_lsp.prompt.families import BY_NAME, CODEGEMMA, FAMILIES, PREFIX_ONLY, UNKNOWN, InfillFormat, unmistakable
from codegemma_lsp.prompt.layouts import (
    LONGEST_LINE,
    LONGEST_PIECE,
    Budget,
    CursorContext,
    OtherFile,
    PromptWindow,
    before_suffix,
    build_fim,
)
from codegemma_lsp.prompt.segments import (
    BudgetTooSmall,
    Family,
    Layout,
    Markup,
    Prompt,
    Segment,
    Slot,
    Special,
    Text,
    Tokenizer,
    count_tokens,
)

__all__ = [
    "BY_NAME",
    "CODEGEMMA",
    "FAMILIES",
    "LONGEST_LINE",
    "LONGEST_PIECE",
    "PREFIX_ONLY",
    "UNKNOWN",
    "About",
    "Budget",
    "BudgetTooSmall",
    "ChatImpossible",
    "CursorContext",
    "Family",
    "InfillFormat",
    "Layout",
    "Markup",
    "Message",
    "OtherFile",
    "Prompt",
    "PromptWindow",
    "Role",
    "Segment",
    "Slot",
    "Special",
    "Text",
    "Tokenizer",
    "before_suffix",
    "build_chat",
    "build_fim",
    "count_tokens",
    "family_of",
    "unmistakable",
]
