"""Tokens of lines that another process or a server counts, so that each line is asked for once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain

from codegemma_lsp.engines.vocabulary import LINE

_MOST_KEPT = 32_768
"""The number of lines after which those that were tokenized are forgotten."""


class AskedLines:
    """``ask`` returns the tokens of each of several texts, and blocks. Without ``by_line``, tokens may reach across the
    ends of lines, so that whole texts are asked for. Any thread may call it."""

    def __init__(self, ask: Callable[[Sequence[str]], Sequence[Sequence[int]]], *, by_line: bool) -> None:
        self._ask, self._by_line = ask, by_line
        self._known: dict[str, Sequence[int]] = {}
        self._lock = threading.Lock()

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text. Raises what ``ask`` raises."""
        text = sent_text(text)
        lines = LINE.findall(text) if self._by_line else [text]
        with self._lock:
            found = {line: self._known[line] for line in lines if line in self._known}
        if missing := [line for line in dict.fromkeys(lines) if line not in found]:
            new = dict(zip(missing, self._ask(missing), strict=True))
            found |= new
            with self._lock:
                if len(self._known) > _MOST_KEPT:
                    self._known.clear()
                self._known |= new
        return list(chain.from_iterable(found[line] for line in lines))


def sent_text(text: str) -> str:
    """Returns a text in which surrogates without their other half are what vocabularies make of them."""
    return text.encode("utf-8", "replace").decode()
