"""Whose request is next among those of equal priority: each source's in turn, so that none can flood the others."""

from __future__ import annotations

from collections import defaultdict


class Turns:
    """Numbers requests by start-time fair queueing: the lower number runs first, and equal numbers run as they came.

    A source that waits for nothing gets the number of the request that runs now, and each further request of one
    source the next number. Callers take care that one thread at a time calls it.
    """

    def __init__(self) -> None:
        self._now: defaultdict[int, int] = defaultdict(int)
        self._last: dict[tuple[int, int], int] = {}

    def next(self, priority: int, source: int) -> int:
        """Returns the number of a new request."""
        key = (priority, source)
        turn = max(self._now[priority], self._last.get(key, -1) + 1)
        self._last[key] = turn
        return turn

    def begin(self, priority: int, turn: int) -> None:
        """Takes note that a request begins to run."""
        self._now[priority] = max(turn, self._now[priority])
        behind = [key for key, last in self._last.items() if key[0] == priority and last < turn]
        for key in behind:
            del self._last[key]
