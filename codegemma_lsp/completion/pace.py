"""Whether to wait for the next keystroke before the model is asked: only while the model is slower than the typing."""

from __future__ import annotations

from dataclasses import dataclass

_WEIGHT = 0.25
"""Of the newest value in a moving average."""
_PAUSE_MS = 1_000
"""A longer gap is a pause and says nothing about the rhythm."""


@dataclass
class Pace:
    """Moving averages, in milliseconds, of the gaps between keystrokes and of the model's answers."""

    gap_ms: float = 0.0
    answer_ms: float = 0.0
    _last: float | None = None

    def keystroke(self, now_ms: float) -> None:
        if self._last is not None and (gap := now_ms - self._last) < _PAUSE_MS:
            self.gap_ms = _mixed(self.gap_ms, gap)
        self._last = now_ms

    def answered(self, ms: float) -> None:
        self.answer_ms = _mixed(self.answer_ms, ms)

    def wait_ms(self, longest: float) -> float:
        """How long to wait for a next keystroke, which would throw the answer away."""
        return min(longest, self.gap_ms) if self.answer_ms > self.gap_ms > 0 else 0.0


def _mixed(average: float, value: float) -> float:
    return value if average == 0 else (1 - _WEIGHT) * average + _WEIGHT * value
