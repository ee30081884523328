"""How many processor threads to use: measured, because on a busy machine threads that wait for each other by spinning
make two slower than one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

_ROUNDS = 5
_ENOUGH_S = 0.5
"""Seconds after which no further round is begun: large models are measured once."""
_LONGEST_S = 30.0
_HOPELESS = 3
"""Times as long as the fastest so far, after which a candidate need not go on."""
_WORTH, _WORTH_ALL = 0.85, 0.65
"""Share of the time that more threads may need at most. It is measured while nothing else runs; beside an editor and
this server a thread on every processor waits for the one that is busy, so the last processor must bring more."""


def fastest(time_of: Callable[[int, float], float], available: int | None = None) -> int:
    """The smallest number of threads that nothing beats clearly.

    ``time_of(threads, limit)`` does one fixed piece of work and returns its seconds, or gives up after ``limit``
    seconds and returns those. Rounds alternate between the candidates, so that a busy moment strikes them all.
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
        worth = _WORTH_ALL if count == candidates[-1] else _WORTH
        if median(times[count]) < worth * median(times[best]):
            best = count
    return best


def processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def doublings(count: int) -> list[int]:
    """1, 2, 4 … and ``count`` itself."""
    return sorted({*(1 << i for i in range(count.bit_length()) if 1 << i <= count), count})
