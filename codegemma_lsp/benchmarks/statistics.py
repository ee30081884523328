"""Statistics of measurements, defined once for all reports."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest of ``values`` that at least ``percent`` of them do not exceed (nearest rank), which is
    always a measured value. ``values`` may be in any order. Raises ``ValueError`` if there are none."""
    if not values:
        raise ValueError("There is no percentile of no values.")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(0, rank - 1)]


def percentile_or_none(values: Sequence[float], percent: float) -> float | None:
    return percentile(values, percent) if values else None
