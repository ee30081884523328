"""Measures how many processor threads to use. On a busy machine, two threads can be slower than one, because threads
spin while they wait for each other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

_ROUNDS = 5
_ENOUGH_S = 0.5
"""The number of seconds after which no further round begins, so that large models are measured once."""
_LONGEST_S = 30.0
_HOPELESS = 3
"""The multiple of the fastest time so far after which a candidate is given up."""
_WORTH = 0.85
"""The largest share of the time that more threads may need to be chosen."""
_PROBE_EVERY, _PROBE_FOR = 48, 3
"""The number of runs after which other numbers of threads are tried again, and the number of runs for each."""
_CALM, _BUSIER = 4, 2
"""The factor by which probes are rarer while the machine is as it was, and the multiple of the shortest time from which
it counts as busier."""
_RARELY = 4
"""The factor by which a number that took twice as long is tried less often."""
_FOLLOWS = 0.3
"""The weight of the latest run in the moving average."""


def fastest(time_of: Callable[[int, float], float], available: int | None = None) -> int:
    """Returns the smallest number of threads that no larger one beats by 15%.

    ``time_of(threads, limit)`` does one fixed piece of work and returns its seconds, or stops after ``limit`` seconds
    and returns those. Rounds alternate between the candidates, so that a busy moment affects them all.
    """
    candidates = doublings(available or processors())
    times: dict[int, list[float]] = {count: [] for count in candidates}
    if len(candidates) == 1:
        return candidates[0]
    began, limit = time.perf_counter(), _LONGEST_S
    for _ in range(_ROUNDS):
        for count in candidates:
            times[count].append(time_of(count, limit))
            limit = min(limit, _HOPELESS * times[count][-1])
        if time.perf_counter() - began > _ENOUGH_S:
            break
    best = candidates[0]
    for count in candidates[1:]:
        if median(times[count]) < _WORTH * median(times[best]):
            best = count
    return best


class AdaptiveThreads:
    """The number of threads to decode with, which follows how busy the machine is after the model was loaded.

    From time to time, the neighbouring numbers are tried for a few runs of real work: tokens, or batches of a prompt.
    One thread may call it at a time.
    """

    def __init__(self, best: int, available: int | None = None, *, every: int = _PROBE_EVERY) -> None:
        """Takes the number of threads to begin with. ``every`` is the number of runs after which the neighbours are
        tried."""
        self.best = best
        self._every = every
        self._candidates = doublings(available or processors())
        self._seconds: dict[int, float] = {}
        self._shortest: dict[int, float] = {}
        self._runs = self._rounds = 0
        self._probes: list[int] = []

    def next(self) -> int:
        """Returns the number of threads for the next run."""
        if not self._probes:
            self._runs += 1
            if self._runs >= self._every * (_CALM if self._calm() else 1):
                self._runs, self._rounds = 0, self._rounds + 1
                self._probes = [count for count in self._neighbours() for _ in range(_PROBE_FOR)]
        return self._probes[0] if self._probes else self.best

    def took(self, count: int, seconds: float) -> None:
        """Records the seconds of a run with ``count`` threads, or the seconds for each token of a batch."""
        if self._probes and self._probes[0] == count:
            del self._probes[0]
            if self._probes[:1] == [count] and len([one for one in self._probes if one == count]) == _PROBE_FOR - 1:
                return  # the first run after a change also measures the change
        known = self._seconds.get(count, seconds)
        average = self._seconds[count] = known + _FOLLOWS * (seconds - known)
        self._shortest[count] = min(average, self._shortest.get(count, average))
        if not self._probes:
            self._settle()

    def _calm(self) -> bool:
        """Returns whether the neighbours have been tried and the machine has not become busier."""
        mine = self._seconds.get(self.best)
        tried = all(count in self._seconds for count in self._near())
        return mine is not None and tried and mine < _BUSIER * self._shortest[self.best]

    def _near(self) -> set[int]:
        at = self._candidates.index(self.best) if self.best in self._candidates else 0
        return {*self._candidates[max(0, at - 1) : at + 2]} - {self.best}

    def _neighbours(self) -> list[int]:
        all_of_them = self._rounds % _RARELY == 0
        mine = self._seconds.get(self.best, 0.0)
        return sorted(count for count in self._near() if all_of_them or self._seconds.get(count, 0.0) < 2 * mine)

    def _settle(self) -> None:
        mine = self._seconds.get(self.best)
        fastest_now = min(self._seconds, key=lambda count: self._seconds[count])
        if mine is not None and self._seconds[fastest_now] < _WORTH * mine:
            self.best = fastest_now


def processors() -> int:
    """Returns how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def doublings(count: int) -> list[int]:
    """Returns 1, 2, 4 and so on, and ``count`` itself."""
    return sorted({*(1 << i for i in range(count.bit_length()) if 1 << i <= count), count})
