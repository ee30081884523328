"""What a prompt is made of: CodeGemma's special tokens, texts, and how they are counted.

Source: CodeGemma's model card and tokenizer.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias


class Special(StrEnum):
    """Special tokens, with the text that spells them in CodeGemma's vocabulary."""

    BOS = "<bos>"
    EOS = "<eos>"
    FIM_PREFIX = "<|fim_prefix|>"
    FIM_MIDDLE = "<|fim_middle|>"
    FIM_SUFFIX = "<|fim_suffix|>"
    FILE_SEPARATOR = "<|file_separator|>"
    START_OF_TURN = "<start_of_turn>"
    END_OF_TURN = "<end_of_turn>"


CODEGEMMA_IDS = {
    Special.EOS: 1,
    Special.BOS: 2,
    Special.FIM_PREFIX: 67,
    Special.FIM_MIDDLE: 68,
    Special.FIM_SUFFIX: 69,
    Special.FILE_SEPARATOR: 70,
    Special.START_OF_TURN: 106,
    Special.END_OF_TURN: 107,
}
"""The ids in CodeGemma's own vocabulary."""


class BudgetTooSmall(ValueError):
    """The prompt may not even hold the format's own tokens."""


class Layout(StrEnum):
    """Where an infill's parts stand."""

    PSM = "psm"
    SPM = "spm"
    ANCHORED = "anchored"


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the prompt, and why it is there. It is tokenized on its own and never becomes a special token."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Markup:
    """Text of a model's own chat template, in which special tokens are recognised. Never holds text of the user."""

    text: str


Segment: TypeAlias = Special | Text | Markup


class Tokenizer(Protocol):
    """Text to token ids. ``encode`` never yields a special token."""

    @property
    def begins_with_bos(self) -> bool:
        """Whether the model expects its prompts to begin with BOS."""
        ...

    def encode(self, text: str) -> list[int]: ...

    def encode_markup(self, text: str) -> list[int]:
        """Token ids of a text in which special tokens are recognised."""
        ...

    def name(self, special: Special) -> str:
        """The text by which this vocabulary names a special token; "" where it has none."""
        ...

    def piece(self, token: int) -> bytes: ...

    def special(self, special: Special) -> int:
        """A special token's id; raises an error that the user can act on where the model has none."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """``spell``: bytes left out of the end of the text before the cursor, which generation must begin by spelling
    (token healing); empty where generation is free. ``tokens``: exact count of what the segments encode to."""

    segments: tuple[Segment, ...]
    tokens: int
    spell: bytes = b""


def count_tokens(segments: Sequence[Segment], tokenizer: Tokenizer) -> int:
    return sum(_count(segment, tokenizer) for segment in segments)


def _count(segment: Segment, tokenizer: Tokenizer) -> int:
    if isinstance(segment, Markup):
        return len(tokenizer.encode_markup(segment.text))
    return 1 if isinstance(segment, Special) else count_text(tokenizer, segment.text)


def count_text(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text)) if text else 0
