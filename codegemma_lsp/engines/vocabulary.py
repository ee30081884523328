"""A model's vocabulary: exact token ids of a prompt, and the tokens that may spell a given text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from codegemma_lsp.engines.protocol import ModelUnusable
from codegemma_lsp.engines.sampling import Ids
from codegemma_lsp.prompt import CODEGEMMA, Family, Markup, Prompt, Special, Text

_LINE = re.compile(r"[^\n]*\n(?:[ \t\r\f]*\n)*|[^\n]+")
"""A line with the blank ones below it: vocabularies such as Qwen's have pieces of several line ends and blanks."""
_PROBE = 'def f(x):\n\n    return "a" + x\n    \n\n# ä\n\tend\n'
_GUARD = b"\n"
"""What no piece joins to the text after it: put before a text, it takes the blank that SentencePiece puts there."""


class Vocabulary:
    """``pieces[id]`` is a token's bytes, empty for tokens that stand for no text. ``specials`` may lack entries;
    ``names`` are their texts in this vocabulary, and ``spellings`` further ones that a tokenizer could take for special
    tokens. ``encode_markup`` recognises special tokens in a text, where ``encode`` is not asked to. ``controls`` end a
    generation."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        specials: Mapping[Special, int],
        names: Mapping[Special, str],
        controls: frozenset[int],
        encode: Callable[[bytes], list[int]],
        family: Family = CODEGEMMA,
        *,
        begins_with_bos: bool = True,
        spellings: Iterable[str] = (),
        encode_markup: Callable[[bytes], list[int]] | None = None,
    ) -> None:
        self.pieces, self.family = pieces, family
        self.begins_with_bos = begins_with_bos
        self.specials = dict(specials)
        self._names = dict(names)
        known = {*spellings, *names.values(), *family.texts.values()}
        texts = sorted({*known, *(text.replace("\u2581", " ") for text in known)})
        self._spelled_special = re.compile("|".join(f"{re.escape(s[0])}(?={re.escape(s[1:])})" for s in texts if s))
        self.controls = controls | frozenset(specials.values())
        self._encode, self._encode_markup = _without_lead(encode, pieces), encode_markup or encode
        self._encode_line = lru_cache(maxsize=32_768)(self._encode_safely)
        self._candidates = lru_cache(maxsize=1024)(self._find_candidates)
        lines = [token for line in _LINE.findall(_PROBE) for token in self._encode(line.encode())]
        self._by_line = lines == self._encode(_PROBE.encode())

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, in which nothing is a special token.

        Only lines not seen lately are tokenized: where a vocabulary has no piece that reaches across a line's end
        (checked once), a text's tokens are those of its lines.
        """
        if not self._by_line:
            return list(self._encode_line(text))
        return [token for line in _LINE.findall(text) for token in self._encode_line(line)]

    def encode_markup(self, text: str) -> list[int]:
        return self._encode_markup(text.encode("utf-8", "replace"))

    def name(self, special: Special) -> str:
        return self._names.get(special, "")

    def piece(self, token: int) -> bytes:
        return self.pieces[token]

    def tokens(self, prompt: Prompt) -> list[int]:
        """The prompt's ids. Raises ``ModelUnusable`` where it needs a special token that the model lacks."""
        ids: list[int] = []
        for segment in prompt.segments:
            if isinstance(segment, Text):
                ids += self.encode(segment.text)
            elif isinstance(segment, Markup):
                ids += self.encode_markup(segment.text)
            else:
                ids.append(self.special(segment))
        return ids

    def special(self, special: Special) -> int:
        try:
            return self.specials[special]
        except KeyError:
            raise ModelUnusable(
                f"This model has no token for {special.value}, so it cannot be asked in this way; set infillFormat to"
                " auto, or choose another model."
            ) from None

    def candidates(self, spell: bytes) -> Ids:
        """Ids whose piece starts with ``spell`` or is a start of it, ascending."""
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
        """Cuts a text that spells a special token after that token's first character: some model files mark these
        tokens so that the tokenizer always recognises them."""
        ids: list[int] = []
        start = 0
        for match in self._spelled_special.finditer(text):
            ids += self._encode(text[start : match.end()].encode("utf-8", "replace"))
            start = match.end()
        ids += self._encode(text[start:].encode("utf-8", "replace"))
        return tuple(ids)


def _without_lead(encode: Callable[[bytes], list[int]], pieces: Sequence[bytes]) -> Callable[[bytes], list[int]]:
    """The same without the blank that some vocabularies put before every text: a text is not where a prompt begins.
    Source: Code Llama's ``encode_infilling``, with another guard."""
    guard = encode(_GUARD)
    if b"".join(pieces[token] for token in encode(b"x")) != b" x":
        return encode

    def encode_guarded(text: bytes) -> list[int]:
        tokens = encode(_GUARD + text)
        return tokens[len(guard) :] if tokens[: len(guard)] == guard else encode(text)

    return encode_guarded
