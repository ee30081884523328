"""Prompts: the only package that knows special tokens, and how infills and conversations are laid out."""

from codegemma_lsp.prompt.chat import ChatImpossible, Message, Role, build_chat
from codegemma_lsp.prompt.detect import About, family_of
from codegemma_lsp.prompt.families import BY_NAME, CODEGEMMA, FAMILIES, PREFIX_ONLY, UNKNOWN, InfillFormat, unmistakable
from codegemma_lsp.prompt.fim import (
    LONGEST_LINE,
    LONGEST_PIECE,
    Budget,
    Frame,
    OtherFile,
    Site,
    before_suffix,
    build_fim,
)
from codegemma_lsp.prompt.types import (
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
    "Family",
    "Frame",
    "InfillFormat",
    "Layout",
    "Markup",
    "Message",
    "OtherFile",
    "Prompt",
    "Role",
    "Segment",
    "Site",
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
