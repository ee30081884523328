"""The parts of a prompt, which are texts and special tokens by their role, and their token counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias


class Special(StrEnum):
    """The role of a special token. The model's family defines its text."""

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
    """The prompt's budget is too small for the tokens of the format itself."""


class Layout(StrEnum):
    """The order of an infill's parts."""

    PSM = "psm"
    SPM = "spm"
    ANCHORED = "anchored"


class Slot(StrEnum):
    """A place in an infill that is filled with text of the file."""

    PREFIX = "text before the cursor"
    SUFFIX = "text after the cursor"


Part: TypeAlias = Special | Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How models of one family are asked to infill. It is data only; ``families`` has the values.

    ``texts`` spell the special tokens, and ``ids`` are known ones for files whose metadata lack them. ``psm`` and
    ``spm`` are the two orders of an infill, and empty if the family was not trained in that order. The generated text
    follows either. ``bos`` is None if the vocabulary decides. ``heading`` names a file, before its content or before
    the infill, with ``{path}`` in its text. It is left out of a prompt of one file unless ``names_single_file``.
    ``joint`` stands between two files. ``repository`` comes first, with ``{name}``, if several files are shown and the
    name is known. With ``path_in_prefix``, the text of the heading stands within the prefix. ``prefix_lead`` always
    stands there, as the space that SentencePiece puts before a text. ``ends`` spell further tokens that end an infill.
    With ``anchors_in_line``, the middle of an anchored prompt begins with the last token of the line above, because the
    family's models go on better within a line than from the start of one.
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
    anchors_in_line: bool = False
    ends: tuple[str, ...] = ()
    ids: Mapping[Special, int] = field(default_factory=dict)

    @property
    def infills(self) -> bool:
        """Whether the model sees the text after the cursor."""
        return Slot.SUFFIX in (self.psm or self.spm)

    def order(self, layout: Layout) -> tuple[Part, ...]:
        """Returns the parts of an infill. A family with only one order has it for every layout."""
        return (self.spm or self.psm) if layout is Layout.SPM else (self.psm or self.spm)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the prompt, and the reason why it is there. It is tokenized on its own and never becomes a special
    token."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Markup:
    """A text of a model's chat template, in which special tokens are recognised. It never contains text of the user."""

    text: str


Segment: TypeAlias = Special | Text | Markup


class Tokenizer(Protocol):
    """Converts text to token ids. ``encode`` never returns a special token."""

    @property
    def family(self) -> Family:
        """The infill format of the model."""
        ...

    @property
    def begins_with_bos(self) -> bool:
        """Whether the model expects its prompts to begin with BOS."""
        ...

    def encode(self, text: str) -> list[int]: ...

    def encode_markup(self, text: str) -> list[int]:
        """Returns the token ids of a text in which special tokens are recognised."""
        ...

    def name(self, special: Special) -> str:
        """Returns this vocabulary's text of a special token, or "" if it has no such token."""
        ...

    def piece(self, token: int) -> bytes:
        """Returns a token's bytes, or nothing if they are not known, which leaves token healing out."""
        ...

    def special(self, special: Special) -> int:
        """Returns a special token's id. Raises an error that the user can act on if the model has no such token."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A sequence of segments with its token count.

    ``forced_prefix`` are the bytes at the end of the text before the cursor that were left out, and that generation
    must begin with (token healing). It is empty if generation is free. ``tokens`` is the exact count of the encoded
    segments. ``ids``, if there are any, are the prompt's token ids in place of the segments; only engines in the same
    process take them.
    """

    segments: tuple[Segment, ...]
    tokens: int
    forced_prefix: bytes = b""
    ids: tuple[int, ...] = ()


def count_tokens(segments: Sequence[Segment], tokenizer: Tokenizer) -> int:
    return sum(_count(segment, tokenizer) for segment in segments)


def _count(segment: Segment, tokenizer: Tokenizer) -> int:
    if isinstance(segment, Markup):
        return len(tokenizer.encode_markup(segment.text))
    return 1 if isinstance(segment, Special) else count_text(tokenizer, segment.text)


def count_text(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text)) if text else 0
