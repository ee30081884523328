"""A document with a cursor, and the prompt that is made of it: the form of the tests of layouts and windows.

The vocabulary is one of words, so that a budget of 20 tokens is one of 20 words, marks and line ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from codegemma_lsp.prompt import (
    CODEGEMMA,
    Budget,
    CursorContext,
    Family,
    Layout,
    Prompt,
    PromptWindow,
    Special,
    Text,
    build_fim,
    count_tokens,
)
from tests.marks import at_cursor
from tests.scripted import Bytes


class Words(Bytes):
    """Each word, run of blanks, line end and mark is one token; a blank before a word is a part of it."""

    begins_with_bos = True

    def __init__(self, family: Family = CODEGEMMA) -> None:
        self.family = family
        self._ids: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        found = re.findall(r" ?\w+| +|\n|[^\w ]", text)
        return [self._ids.setdefault(word, 1000 + len(self._ids)) for word in found]

    def piece(self, token: int) -> bytes:
        return list(self._ids)[token - 1000].encode()


@dataclass(frozen=True)
class Infill:
    """A prompt, and the window that the next one begins with."""

    prompt: Prompt
    window: PromptWindow

    def __str__(self) -> str:
        return shown(self.prompt)


def infill(
    marked: str,
    layout: Layout = Layout.ANCHORED,
    *,
    tokens: int = 1000,
    heal: bool = False,
    after: Infill | None = None,
    family: Family = CODEGEMMA,
    budget: dict[str, Any] | None = None,
    **context: Any,
) -> Infill:
    """The prompt for a document with its ``<CURSOR>``; ``after``: the one before it in the same document."""
    text, offset = at_cursor(marked)
    tokenizer = Words(family)
    context.setdefault("path", "")
    prompt, window = build_fim(
        CursorContext(text=text, offset=offset, **context),
        layout,
        Budget(prompt=tokens, **(budget or {})),
        tokenizer,
        heal,
        after.window if after is not None else None,
    )
    assert prompt.tokens == count_tokens(prompt.segments, tokenizer) <= tokens
    return Infill(prompt, window)


def shown(prompt: Prompt, family: Family = CODEGEMMA) -> str:
    """The prompt as a text, its special tokens in their own spelling."""
    return "".join(
        segment.text if isinstance(segment, Text) else family.texts.get(Special(segment), "")  # type: ignore[arg-type]
        for segment in prompt.segments
    )
