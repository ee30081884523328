"""Decides whether to wait for the next keystroke before the model is asked, which pays only if the model is slower than
the typing."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from statistics import median

_REMEMBERED = 7
"""The number of latest gaps and answers that are kept. It is odd, and large enough that one slow answer, such as the
first one in a file, does not change the median."""
_CATCHES = 1.4
"""The multiple of the median gap within which most keystrokes arrive."""
_PAUSE_MS = 1_000
"""The length in milliseconds from which a gap counts as a pause, which is not part of the rhythm."""


def _latest() -> deque[float]:
    return deque(maxlen=_REMEMBERED)


@dataclass
class AdaptiveDebounce:
    """The last gaps between keystrokes and the last response times of the model, in milliseconds."""

    gaps: deque[float] = field(default_factory=_latest)
    answers: deque[float] = field(default_factory=_latest)
    _last: tuple[Hashable, float] | None = None

    def keystroke(self, state: Hashable, now_ms: float) -> None:
        """Records a keystroke at ``now_ms``. ``state`` identifies the document and its content after the key, so that
        two requests after one key count once."""
        if self._last is not None and self._last[0] == state:
            return
        if self._last is not None and (gap := now_ms - self._last[1]) < _PAUSE_MS:
            self.gaps.append(gap)
        self._last = (state, now_ms)

    def answered(self, ms: float) -> None:
        self.answers.append(ms)

    def cancelled(self, ms: float) -> None:
        """Records that a request was cancelled after ``ms`` milliseconds, which is a lower bound of what its answer
        would have taken."""
        if not self.answers or ms > median(self.answers):
            self.answers.append(ms)

    @property
    def gap_ms(self) -> float | None:
        """Returns the median gap between the last keystrokes in milliseconds, or None if no gap is known yet."""
        return median(self.gaps) if self.gaps else None

    def wait_ms(self, longest: float) -> float:
        """Returns how many milliseconds to wait for a next keystroke, which would make the answer useless. The result
        is 0 if the wait would exceed ``longest``, if the model is faster than the typing, or if too little is known."""
        if not self.gaps or len(self.answers) < 2:
            return 0.0
        gap = median(self.gaps)
        return _CATCHES * gap if median(self.answers) > gap and _CATCHES * gap <= longest else 0.0
