"""Guesses at the next tokens, taken from what was written before: code repeats itself.

Source: prompt lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding). A guess is verified in one
batch, so what is generated does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LONGEST_MATCH = 6
_SHORTEST_MATCH = 3
"""Fewer equal tokens occur by chance, and a wrong guess costs as much as a right one saves."""
_WIDTH = 4


class Lookup:
    """The tokens so far, and what followed their like before. Tokens are kept as bytes, so that finding is C's."""

    def __init__(self, tokens: Sequence[int], most: int) -> None:
        """``most``: tokens of the longest guess."""
        self._history = bytearray(np.asarray(tokens, dtype=np.int32).tobytes())
        self._most = most
        self._length = min(most, 4)

    def add(self, token: int) -> None:
        self._history += token.to_bytes(_WIDTH, "little")

    def guess(self) -> list[int]:
        """What followed the latest occurrence of the last tokens; the longest match wins; empty where there is none."""
        for size in range(_LONGEST_MATCH, _SHORTEST_MATCH - 1, -1):
            at = self._find(size)
            if at >= 0:
                start = at + _WIDTH * size
                found = self._history[start : start + _WIDTH * self._length]
                return [int(token) for token in np.frombuffer(bytes(found), dtype=np.int32)]
        return []

    def judged(self, guessed: int, right: int) -> None:
        """Guesses grow while they are right, and shrink when the first token is wrong already."""
        if right == guessed:
            self._length = min(self._most, 2 * self._length)
        elif right == 0:
            self._length = max(1, self._length // 2)

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
