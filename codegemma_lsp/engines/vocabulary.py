"""A model's vocabulary: the exact token ids of a prompt, and the tokens that can spell a given text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from codegemma_lsp.engines.protocol import ModelUnusable
from codegemma_lsp.engines.sampling import Ids
from codegemma_lsp.prompt import CODEGEMMA, Family, Markup, Prompt, Special, Text, Tokenizer

LINE = re.compile(r"[^\n]*\n(?:[ \t\r\f]*\n)*|[^\n]+")
"""Matches a line with the blank lines below it, because vocabularies such as Qwen's have pieces of several line ends
and blanks."""
PROBE = 'def f(x):\n\n    return "a" + x\n    \n\n# ä\n\tend\n'
_GUARD = b"\n"
"""A text that no piece joins to the text after it. Before a text, it takes the blank that SentencePiece puts there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialTokens:
    """The tokens of a vocabulary that stand for no text.

    ``ids`` lacks the roles for which the model has no token. ``names`` are the tokens' texts in this vocabulary, and
    ``spellings`` are further texts that a tokenizer could take for special tokens. ``controls`` are the ids that end a
    generation.
    """

    ids: Mapping[Special, int] = field(default_factory=dict)
    names: Mapping[Special, str] = field(default_factory=dict)
    controls: frozenset[int] = frozenset()
    spellings: tuple[str, ...] = ()


class Vocabulary:
    """A tokenizer and its pieces.

    ``pieces[id]`` is a token's bytes, which are empty for tokens that stand for no text. ``encode_markup`` recognises
    special tokens in a text, and ``encode`` does not.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        special_tokens: SpecialTokens,
        encode: Callable[[bytes], list[int]],
        family: Family = CODEGEMMA,
        *,
        begins_with_bos: bool = True,
        encode_markup: Callable[[bytes], list[int]] | None = None,
    ) -> None:
        self.pieces, self.family = pieces, family
        self.begins_with_bos = begins_with_bos
        self.specials = dict(special_tokens.ids)
        self.names = dict(special_tokens.names)
        self._spelled_special = first_character_of(
            {*special_tokens.spellings, *self.names.values(), *family.texts.values()}
        )
        self.controls = special_tokens.controls | frozenset(self.specials.values())
        self._encode, self._encode_markup = _without_lead(encode, pieces), encode_markup or encode
        self._encode_line = lru_cache(maxsize=32_768)(self._encode_safely)
        self._candidates = lru_cache(maxsize=1024)(self._find_candidates)
        lines = [token for line in LINE.findall(PROBE) for token in self._encode(line.encode())]
        self.goes_by_line = lines == self._encode(PROBE.encode())
        """Whether no piece reaches across a line's end, so that a text's tokens are those of its lines."""

    def encode(self, text: str) -> list[int]:
        """Returns the token ids of a text in which nothing is a special token.

        Only lines that were not seen lately are tokenized.
        """
        if not self.goes_by_line:
            return list(self._encode_line(text))
        return [token for line in LINE.findall(text) for token in self._encode_line(line)]

    def encode_markup(self, text: str) -> list[int]:
        return self._encode_markup(text.encode("utf-8", "replace"))

    def name(self, special: Special) -> str:
        return self.names.get(special, "")

    def piece(self, token: int) -> bytes:
        return self.pieces[token]

    def tokens(self, prompt: Prompt) -> list[int]:
        """Returns the prompt's ids. Raises ``ModelUnusable`` if the prompt needs a special token that the model
        lacks."""
        return list(prompt.ids) or prompt_tokens(prompt, self)

    def special(self, special: Special) -> int:
        try:
            return self.specials[special]
        except KeyError:
            raise ModelUnusable(no_token(special)) from None

    def candidates(self, spell: bytes) -> Ids:
        """Returns, in ascending order, the ids whose piece starts with ``spell`` or is a prefix of it."""
        return self._candidates(spell)

    def _find_candidates(self, spell: bytes) -> Ids:
        ordered, ids = self._sorted_pieces
        low = bisect_left(ordered, spell)
        high = bisect_left(ordered, spell + b"\xff" * 64)
        found = set(ids[low:high])
        for size in range(1, len(spell)):
            start = bisect_left(ordered, spell[:size])
            while start < len(ordered) and ordered[start] == spell[:size]:
                found.add(ids[start])
                start += 1
        return np.array(sorted(found - self.controls), dtype=np.int64)

    @cached_property
    def _sorted_pieces(self) -> tuple[list[bytes], list[int]]:
        order = sorted((piece, token) for token, piece in enumerate(self.pieces) if piece)
        return [piece for piece, _ in order], [token for _, token in order]

    def _encode_safely(self, text: str) -> tuple[int, ...]:
        """Encodes a text that spells special tokens in parts, cut after each such token's first character, because some
        model files make the tokenizer always recognise these tokens."""
        ids: list[int] = []
        start = 0
        for match in self._spelled_special.finditer(text):
            ids += self._encode(text[start : match.end()].encode("utf-8", "replace"))
            start = match.end()
        ids += self._encode(text[start:].encode("utf-8", "replace"))
        return tuple(ids)


def prompt_tokens(prompt: Prompt, tokenizer: Tokenizer) -> list[int]:
    """Returns a prompt's ids. Raises what the tokenizer raises for a special token that the model lacks."""
    ids: list[int] = []
    for segment in prompt.segments:
        if isinstance(segment, Text):
            ids += tokenizer.encode(segment.text)
        elif isinstance(segment, Markup):
            ids += tokenizer.encode_markup(segment.text)
        else:
            ids.append(tokenizer.special(segment))
    return ids


def no_token(special: Special) -> str:
    return (
        f"This model has no token for {special.value}, so it cannot be asked in this way; set infillFormat to auto, or"
        " choose another model."
    )


def first_character_of(texts: set[str]) -> re.Pattern[str]:
    """Returns a pattern for the first character of any of the texts, as they are or with SentencePiece's U+2581 as
    blanks."""
    spellings = sorted({*texts, *(text.replace("\u2581", " ") for text in texts)})
    return re.compile("|".join(f"{re.escape(text[0])}(?={re.escape(text[1:])})" for text in spellings if text))


def _without_lead(encode: Callable[[bytes], list[int]], pieces: Sequence[bytes]) -> Callable[[bytes], list[int]]:
    """Returns an encoder without the blank that some vocabularies put before every text, because a text need not be the
    beginning of a prompt. Source: Code Llama's ``encode_infilling``, with another guard."""
    guard = encode(_GUARD)
    if b"".join(pieces[token] for token in encode(b"x")) != b" x":
        return encode

    def encode_guarded(text: bytes) -> list[int]:
        tokens = encode(_GUARD + text)
        return tokens[len(guard) :] if tokens[: len(guard)] == guard else encode(text)

    return encode_guarded
