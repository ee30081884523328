"""Guesses at the next tokens, taken from what was written before: code repeats itself.

Source: prompt lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding). A guess is verified in one
batch, so what is generated does not depend on it. How far to guess is ours: see ``PromptLookup.guess``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LONGEST_MATCH = 6
_SHORTEST_MATCH = 3
"""Fewer equal tokens occur by chance."""
_PRIOR, _WEIGHT = 0.5, 0.2
"""Share of guessed tokens taken to be right before any was seen, and of the newest one in the moving average."""
_WIDTH = 4


class PromptLookup:
    """The tokens so far, and what followed their like before. Tokens are kept as bytes, so that finding is C's."""

    def __init__(self, tokens: Sequence[int], most: int, cost: float) -> None:
        """``most``: tokens of the longest guess. ``cost``: time of a further token in a batch, as a share of that of a
        token on its own."""
        self._history = bytearray(np.asarray(tokens, dtype=np.int32).tobytes())
        self._most, self._cost = most, min(max(cost, 0.01), 1.0)
        self._right = _PRIOR
        self._expected: int | None = None

    def add(self, token: int) -> None:
        """A token that was generated. Each is compared with what would have been guessed, drafted or not."""
        if self._expected is not None:
            self._right += _WEIGHT * ((token == self._expected) - self._right)
        self._history += token.to_bytes(_WIDTH, "little")
        following = self._following(1)
        self._expected = following[0] if following else None

    def guess(self) -> list[int]:
        """What followed the latest occurrence of the last tokens; empty where nothing did or it would not pay.

        With a share r of guesses right, the n-th token of a guess is kept with probability r**n, and saves a step of
        its own; it costs ``cost`` in any case. So a guess goes on as long as r**n is above the cost.
        """
        if self._expected is None or self._right <= self._cost:
            return []
        most = math.log(self._cost) / math.log(self._right) if self._right < 1 else math.inf
        return self._following(int(min(self._most, most)))

    def _following(self, count: int) -> list[int]:
        for size in range(_LONGEST_MATCH, _SHORTEST_MATCH - 1, -1):
            at = self._find(size)
            if at >= 0:
                start = at + _WIDTH * size
                found = bytes(self._history[start : start + _WIDTH * count])
                return [int(token) for token in np.frombuffer(found, dtype=np.int32)]
        return []

    def _find(self, size: int) -> int:
        """Where the last ``size`` tokens stood before, in bytes; -1 where they did not."""
        needle = self._history[-_WIDTH * size :]
        end = len(self._history) - _WIDTH
        while len(needle) == _WIDTH * size:
            at = self._history.rfind(needle, 0, end)
            if at < 0 or at % _WIDTH == 0:
                return at
            end = at + len(needle) - 1
        return -1
