"""The one percentile of all reports."""

from __future__ import annotations

import pytest

from codegemma_lsp.benchmarks.statistics import percentile, percentile_or_none


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 1), (1, 1), (50, 10), (51, 11), (95, 19), (96, 20), (100, 20)],
)
def test_a_percentile_is_a_measured_value_that_enough_do_not_exceed(percent: float, expected: float) -> None:
    assert percentile(range(20, 0, -1), percent) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no percentile of no values"):
        percentile([], 50)
    assert percentile_or_none([], 50) is None
    assert percentile_or_none([3.0], 95) == 3.0
