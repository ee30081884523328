"""What a system's records come to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codegemma_lsp.bench.replay import Counters, Record, latencies_ms


@dataclass(frozen=True, slots=True)
class Summary:
    """Milliseconds from a key to its answer, and costs a key. ``shown_share``: of the keys after which something was
    suggested; ``cancel_read``: most prompt tokens read after a request was given up."""

    keys: int
    answered_share: float
    shown_share: float
    reuse_share: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    tokens_read_per_key: float
    tokens_generated_per_key: float
    cpu_s_per_100_keys: float
    rss_mb: float
    cancel_ms_p95: float | None = None
    cancel_read: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def summarize(
    records: Sequence[Record], used: Sequence[Counters], cancels: Sequence[tuple[float, int]] = ()
) -> Summary:
    """``used``: what each record's session cost. Figures are NaN where nothing was answered."""
    keys = sum(len(record.keys) for record in records)
    times = latencies_ms(records)
    per_key = 1 / max(1, keys)
    first = [answer for record in records for answer in _first_answers(record)]
    return Summary(
        keys,
        len(times) * per_key,
        sum(bool(answer.insert) for answer in first) * per_key,
        sum(answer.reused for answer in first) * per_key,
        percentile(times, 50),
        percentile(times, 90),
        percentile(times, 95),
        percentile(times, 99),
        sum(u.read for u in used) * per_key,
        sum(u.generated for u in used) * per_key,
        100 * sum(u.cpu_s for u in used) * per_key,
        max((u.rss_mb for u in used), default=0.0),
        percentile(sorted(ms for ms, _ in cancels), 95) if cancels else None,
        max(read for _, read in cancels) if cancels else None,
    )


def _first_answers(record: Record) -> list[Any]:
    seen: dict[int, Any] = {}
    for answer in record.answers:
        seen.setdefault(answer.version, answer)
    return [seen[version] for version in record.keys if version in seen]


def percentile(ascending: Sequence[float], share: float) -> float:
    """Nearest rank; NaN of nothing."""
    if not ascending:
        return math.nan
    return ascending[min(len(ascending) - 1, max(0, math.ceil(share / 100 * len(ascending)) - 1))]
