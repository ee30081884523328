"""Guesses the next tokens from what was written before, because code repeats itself.

Source: prompt lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding). A guess is verified in one
batch, so that it never changes what is generated. The length of a guess is decided by ``PromptLookup.guess``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LONGEST_MATCH = 6
_SHORTEST_MATCH = 3
"""The number of equal tokens that a match needs. Fewer occur by chance."""
_PRIOR, _WEIGHT = 0.5, 0.2
"""The assumed share of right guesses before any was seen, and the weight of the newest one in the moving average."""
_WIDTH = 4


class PromptLookup:
    """The tokens so far, and what followed equal tokens before. Tokens are stored as bytes, so that the search runs in
    C."""

    def __init__(self, tokens: Sequence[int], most: int, cost: float) -> None:
        """Takes the tokens so far. ``most`` is how many tokens a guess may have. ``cost`` is the time of each further
        token in a batch as a share of the time of a single token."""
        self._history = bytearray(np.asarray(tokens, dtype=np.int32).tobytes())
        self._most, self._cost = most, min(max(cost, 0.01), 1.0)
        self._right = _PRIOR
        self._expected: int | None = None

    def add(self, token: int) -> None:
        """Adds a token that was generated. Each one is compared with the token that would have been guessed, whether or
        not it was drafted."""
        if self._expected is not None:
            self._right += _WEIGHT * ((token == self._expected) - self._right)
        self._history += token.to_bytes(_WIDTH, "little")
        following = self._following(1)
        self._expected = following[0] if following else None

    def guess(self) -> list[int]:
        """Returns what followed the latest occurrence of the last tokens. It is empty if nothing did, or if a guess
        would not pay.

        If a share r of the guesses is right, the n-th token of a guess is kept with probability r**n and then saves a
        step of its own. It costs ``cost`` in any case. A guess is therefore extended as long as r**n is above the cost.
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
        """Returns the byte offset at which the last ``size`` tokens occurred before, or -1."""
        needle = self._history[-_WIDTH * size :]
        end = len(self._history) - _WIDTH
        while len(needle) == _WIDTH * size:
            at = self._history.rfind(needle, 0, end)
            if at < 0 or at % _WIDTH == 0:
                return at
            end = at + len(needle) - 1
        return -1
