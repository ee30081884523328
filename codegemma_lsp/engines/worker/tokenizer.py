"""The tokenizer of an engine in another process, and prompts as they are sent there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

from codegemma_lsp.engines.asked_lines import AskedLines, sent_text
from codegemma_lsp.engines.protocol import ModelUnusable
from codegemma_lsp.engines.vocabulary import no_token
from codegemma_lsp.engines.worker.messages import (
    AnySegment,
    Encode,
    Loaded,
    MarkupSegment,
    SentPrompt,
    SpecialSegment,
    TextSegment,
    ToProcess,
)
from codegemma_lsp.prompt import BY_NAME, UNKNOWN, Markup, Prompt, Special, Text

Ask = Callable[[Callable[[int], ToProcess]], Any]
"""Sends the message that is made with a call's number, and waits for the answer."""


class SentTokenizer:
    """A ``Tokenizer`` that asks the engine's process for lines that it has not seen. Any thread may call it."""

    def __init__(self, loaded: Loaded, engine: int, ask: Ask) -> None:
        family = BY_NAME.get(loaded.family, UNKNOWN)
        self.family = replace(family, texts=loaded.family_texts, ids=loaded.family_ids)
        self.begins_with_bos = loaded.begins_with_bos
        self._specials, self._names = loaded.specials, loaded.names
        self._pieces, ends = loaded.pieces.encode("latin-1"), [0, *accumulate(loaded.lengths)]
        self._spans = list(pairwise(ends))
        self._engine, self._ask = engine, ask
        self._lines = AskedLines(self._tokens, by_line=loaded.goes_by_line)

    def encode(self, text: str) -> list[int]:
        return self._lines.encode(text)

    def encode_markup(self, text: str) -> list[int]:
        return list(self._tokens([sent_text(text)], markup=True)[0])

    def _tokens(self, texts: Sequence[str], *, markup: bool = False) -> Sequence[tuple[int, ...]]:
        engine, given = self._engine, tuple(texts)
        found: Sequence[tuple[int, ...]] = self._ask(
            lambda call: Encode(call=call, engine=engine, texts=given, markup=markup)
        )
        return found

    def name(self, special: Special) -> str:
        return self._names.get(special, "")

    def piece(self, token: int) -> bytes:
        start, end = self._spans[token]
        return self._pieces[start:end]

    def special(self, special: Special) -> int:
        try:
            return self._specials[special]
        except KeyError:
            raise ModelUnusable(no_token(special)) from None


def sent(prompt: Prompt) -> SentPrompt:
    """Returns a prompt as it is sent."""
    return SentPrompt(
        segments=tuple(_sent_segment(segment) for segment in prompt.segments),
        tokens=prompt.tokens,
        forced_prefix=prompt.forced_prefix.hex(),
    )


def _sent_segment(segment: Text | Markup | Special) -> AnySegment:
    if isinstance(segment, Text):
        return TextSegment(text=sent_text(segment.text))
    if isinstance(segment, Markup):
        return MarkupSegment(text=sent_text(segment.text))
    return SpecialSegment(special=segment)
