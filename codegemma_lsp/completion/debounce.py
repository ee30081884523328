"""Whether to wait for the next keystroke before the model is asked: only while the model is slower than the typing."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from statistics import median

_REMEMBERED = 7
"""Odd, and enough that one slow answer, the first in a file, says nothing yet."""
_CATCHES = 1.4
"""Median gaps within which most keystrokes come."""
_PAUSE_MS = 1_000
"""A longer gap is a pause and says nothing about the rhythm."""


def _latest() -> deque[float]:
    return deque(maxlen=_REMEMBERED)


@dataclass
class AdaptiveDebounce:
    """The last gaps between keystrokes, and the last times that the model took; milliseconds."""

    gaps: deque[float] = field(default_factory=_latest)
    answers: deque[float] = field(default_factory=_latest)
    _last: tuple[Hashable, float] | None = None

    def keystroke(self, state: Hashable, now_ms: float) -> None:
        """``state``: what the key made of which document, so that two requests after one key count as one."""
        if self._last is not None and self._last[0] == state:
            return
        if self._last is not None and (gap := now_ms - self._last[1]) < _PAUSE_MS:
            self.gaps.append(gap)
        self._last = (state, now_ms)

    def answered(self, ms: float) -> None:
        self.answers.append(ms)

    def cancelled(self, ms: float) -> None:
        """A request was given up after so long: the model takes longer than that, how much is not known."""
        if not self.answers or ms > median(self.answers):
            self.answers.append(ms)

    def wait_ms(self, longest: float) -> float:
        """How long to wait for a next keystroke, which would throw the answer away; 0 where it would come too late."""
        if not self.gaps or len(self.answers) < 2:
            return 0.0
        gap = median(self.gaps)
        return _CATCHES * gap if median(self.answers) > gap and _CATCHES * gap <= longest else 0.0
