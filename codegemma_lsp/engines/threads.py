"""How many processor threads to use: measured, because on a busy machine threads that wait for each other by spinning
make two slower than one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median

_ROUNDS = 5
_ENOUGH_S = 0.6
"""Seconds after which no further round is begun: large models are measured once."""
_WORTH = 0.85
"""Share of the time that more threads may need at most: each takes a processor from the editor."""


def fastest(time_of: Callable[[int], float], available: int | None = None) -> int:
    """The smallest number of threads that nothing beats clearly. ``time_of`` does one fixed piece of work with so many
    threads and returns its seconds. Rounds alternate between the candidates, so that a busy moment strikes them all."""
    candidates = doublings(available or processors())
    if len(candidates) == 1:
        return candidates[0]
    times: dict[int, list[float]] = {count: [] for count in candidates}
    began = time.perf_counter()
    for _ in range(_ROUNDS):
        for count in candidates:
            times[count].append(time_of(count))
        if time.perf_counter() - began > _ENOUGH_S:
            break
    best = candidates[0]
    for count in candidates[1:]:
        if median(times[count]) < _WORTH * median(times[best]):
            best = count
    return best


def processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def doublings(count: int) -> list[int]:
    """1, 2, 4 … and ``count`` itself."""
    return sorted({*(1 << i for i in range(count.bit_length()) if 1 << i <= count), count})
