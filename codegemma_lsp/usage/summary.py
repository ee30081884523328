"""What counts say, in sums, shares and percentiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from codegemma_lsp.usage.store import Count, What


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The sums of counts.

    ``characters_saved`` are those that were typed by accepting. ``kept_30s`` and ``kept_10min`` are shares from 0 to 1
    of the characters that were still in the code, or None if none were followed for so long. Latencies are
    milliseconds to about 5%, or None. ``silent`` has a number for each reason.
    """

    characters_saved: int
    shown: int
    accepted: int
    partially_accepted: int
    rejected: int
    kept_30s: float | None
    kept_10min: float | None
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    prefill_tokens: int
    completion_tokens: int
    silent: Mapping[str, int]


def summary_of(counts: Iterable[Count]) -> Summary:
    """Returns the sums of counts."""
    sums: Counter[What] = Counter()
    silent: Counter[str] = Counter()
    latencies: Counter[int] = Counter()
    for count in counts:
        sums[count.what] += count.amount
        if count.what is What.SILENT:
            silent[count.detail] += count.amount
        elif count.what is What.LATENCY and count.detail.isdecimal():
            latencies[int(count.detail)] += count.amount
    return Summary(
        characters_saved=sums[What.ACCEPTED_CHARACTERS],
        shown=sums[What.SHOWN],
        accepted=sums[What.ACCEPTED],
        partially_accepted=sums[What.PARTIALLY_ACCEPTED],
        rejected=sums[What.REJECTED],
        kept_30s=_share(sums[What.KEPT_30S], sums[What.FOLLOWED_30S]),
        kept_10min=_share(sums[What.KEPT_10MIN], sums[What.FOLLOWED_10MIN]),
        latency_p50_ms=_percentile(latencies, 0.5),
        latency_p95_ms=_percentile(latencies, 0.95),
        prefill_tokens=sums[What.PREFILL_TOKENS],
        completion_tokens=sums[What.COMPLETION_TOKENS],
        silent=dict(silent.most_common()),
    )


def grouped(counts: Iterable[Count], key: Callable[[Count], str]) -> dict[str, Summary]:
    """Returns a summary for each value of ``key``, in the order of the values."""
    groups: dict[str, list[Count]] = {}
    for count in counts:
        groups.setdefault(key(count), []).append(count)
    return {name: summary_of(groups[name]) for name in sorted(groups)}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percentile(counts: Mapping[int, int], share: float) -> int | None:
    """Returns the smallest value that at least ``share`` of all values do not exceed (nearest rank), or None."""
    seen, total = 0, sum(counts.values())
    for value in sorted(counts):
        seen += counts[value]
        if seen >= share * total:
            return value
    return None
