"""What a prompt is made of: special tokens by their role, texts, and how they are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias


class Special(StrEnum):
    """What a special token is for. Which text spells it is the model family's business."""

    BOS = "begin of text"
    EOS = "end of text"
    FIM_PREFIX = "prefix"
    FIM_MIDDLE = "middle"
    FIM_SUFFIX = "suffix"
    FILE_SEPARATOR = "file separator"
    REPOSITORY = "repository name"
    START_OF_TURN = "start of turn"
    END_OF_TURN = "end of turn"


class BudgetTooSmall(ValueError):
    """The prompt may not even hold the format's own tokens."""


class Layout(StrEnum):
    """Where an infill's parts stand."""

    PSM = "psm"
    SPM = "spm"
    ANCHORED = "anchored"


class Slot(StrEnum):
    """A place in an infill that is filled with text of the file."""

    PREFIX = "text before the cursor"
    SUFFIX = "text after the cursor"


Part: TypeAlias = Special | Slot


@dataclass(frozen=True, slots=True)
class Family:
    """How models of one family are asked to infill: data only, in ``families``.

    ``texts`` spell the special tokens, ``ids`` are known ones for files whose metadata lack them. ``psm`` and ``spm``
    are the two orders of an infill, empty where the family was not trained in it; what is generated follows either.
    ``bos`` is None where the vocabulary's own wish is followed. ``heading`` is what names a file, before its content or
    before the infill, with ``{path}`` in its text; it is left out of a prompt of one file unless ``names_single_file``.
    ``joint`` stands between two files; ``repository`` comes first, with ``{name}``, where several files are shown and
    the name is known. ``path_in_prefix``: the text of the heading stands within the prefix. ``prefix_lead`` always
    does, as the blank that SentencePiece puts before a text. ``ends`` spell tokens besides the special ones that end an
    infill.
    """

    name: str
    title: str
    texts: Mapping[Special, str]
    psm: tuple[Part, ...]
    spm: tuple[Part, ...] = ()
    bos: bool | None = None
    heading: tuple[Special | str, ...] = ("{path}\n",)
    joint: tuple[Special | str, ...] = ()
    repository: tuple[Special | str, ...] = ()
    names_single_file: bool = True
    path_in_prefix: bool = False
    prefix_lead: str = ""
    ends: tuple[str, ...] = ()
    ids: Mapping[Special, int] = field(default_factory=dict)

    @property
    def infills(self) -> bool:
        """Whether the model sees what follows the cursor."""
        return Slot.SUFFIX in (self.psm or self.spm)

    def order(self, layout: Layout) -> tuple[Part, ...]:
        """The parts of an infill. A family that has one order only has it for every layout."""
        return (self.spm or self.psm) if layout is Layout.SPM else (self.psm or self.spm)


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
    def family(self) -> Family:
        """How the model is asked to infill."""
        ...

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
    """``forced_prefix``: bytes left out of the end of the text before the cursor, which generation must begin by
    spelling (token healing); empty where generation is free. ``tokens``: exact count of what the segments encode to."""

    segments: tuple[Segment, ...]
    tokens: int
    forced_prefix: bytes = b""


def count_tokens(segments: Sequence[Segment], tokenizer: Tokenizer) -> int:
    return sum(_count(segment, tokenizer) for segment in segments)


def _count(segment: Segment, tokenizer: Tokenizer) -> int:
    if isinstance(segment, Markup):
        return len(tokenizer.encode_markup(segment.text))
    return 1 if isinstance(segment, Special) else count_text(tokenizer, segment.text)


def count_text(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text)) if text else 0
