"""Whether to wait for the next keystroke before the model is asked: only while the model is slower than the typing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

_REMEMBERED = 7
"""Odd, and enough that one slow answer, the first in a file, says nothing yet."""
_PAUSE_MS = 1_000
"""A longer gap is a pause and says nothing about the rhythm."""


def _latest() -> deque[float]:
    return deque(maxlen=_REMEMBERED)


@dataclass
class Pace:
    """The last gaps between keystrokes, and the last times that the model took; milliseconds."""

    gaps: deque[float] = field(default_factory=_latest)
    answers: deque[float] = field(default_factory=_latest)
    _last: float | None = None

    def keystroke(self, now_ms: float) -> None:
        if self._last is not None and (gap := now_ms - self._last) < _PAUSE_MS:
            self.gaps.append(gap)
        self._last = now_ms

    def answered(self, ms: float) -> None:
        self.answers.append(ms)

    def wait_ms(self, longest: float) -> float:
        """How long to wait for a next keystroke, which would throw the answer away."""
        if not self.gaps or len(self.answers) < 2:
            return 0.0
        gap = median(self.gaps)
        return min(longest, gap) if median(self.answers) > gap else 0.0
