"""A model's vocabulary: exact token ids of a prompt, and the tokens that may spell a given text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from codegemma_lsp.engines.base import ModelUnusable
from codegemma_lsp.engines.sampling import Ids
from codegemma_lsp.prompt import Markup, Prompt, Special, Text

_LINE = re.compile(r"[^\n]*\n+|[^\n]+")
_PROBE = 'def f(x):\n\n    return "a" + x\n\n\n# ä\n\tend\n'


class Vocabulary:
    """``pieces[id]`` is a token's bytes, empty for tokens that stand for no text. ``specials`` may lack entries;
    ``names`` are their texts in this vocabulary, and ``spellings`` further ones that a tokenizer could take for special
    tokens. ``encode_markup`` recognises special tokens in a text, where ``encode`` is not asked to."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        specials: Mapping[Special, int],
        names: Mapping[Special, str],
        controls: frozenset[int],
        encode: Callable[[bytes], list[int]],
        begins_with_bos: bool = True,
        spellings: Iterable[str] = (),
        encode_markup: Callable[[bytes], list[int]] | None = None,
    ) -> None:
        self.pieces = pieces
        self.begins_with_bos = begins_with_bos
        self.specials = dict(specials)
        self._names = dict(names)
        texts = sorted({*spellings, *names.values(), *Special})
        self._spelled_special = re.compile("|".join(f"{re.escape(s[0])}(?={re.escape(s[1:])})" for s in texts if s))
        self.controls = controls | frozenset(specials.values())
        self._encode, self._encode_markup = encode, encode_markup or encode
        self._encode_line = lru_cache(maxsize=32_768)(self._encode_safely)
        self._candidates = lru_cache(maxsize=1024)(self._find_candidates)
        self._by_line = [t for line in _LINE.findall(_PROBE) for t in encode(line.encode())] == encode(_PROBE.encode())

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
                f"This model has no {special.value} token, so it cannot be used here; choose a CodeGemma model"
                " (2B for completion, 7B-IT for chat)."
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
