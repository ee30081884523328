"""What systems' records come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from codegemma_lsp.benchmarks.typing.replay import Counters, Record
from codegemma_lsp.benchmarks.typing.sessions import Act

_TYPED = (Act.TYPE, Act.DELETE)


@dataclass
class Measured:
    """One system's records of one rhythm, session by session, what each cost, and its cancelled requests."""

    records: list[Record] = field(default_factory=list)
    used: list[Counters] = field(default_factory=list)
    cancels: list[tuple[float, int | None]] = field(default_factory=list)

    def typed(self) -> set[tuple[int, int]]:
        """Keys typed or deleted that the system was asked about, as (session, key): acceptances are left out, because
        not every system has something to accept."""
        return {
            (session, pressed.number)
            for session, record in enumerate(self.records)
            for pressed in record.keys.values()
            if pressed.asked and pressed.act in _TYPED
        }

    def waits(self, of: set[tuple[int, int]]) -> list[Wait]:
        """How long those keys waited, the shortest first; without those that nobody answered."""
        found = [
            Wait(waited, record.reads.get(version, 0), record.made.get(version, 0))
            for session, record in enumerate(self.records)
            for version, pressed in record.keys.items()
            if (session, pressed.number) in of and (waited := record.waited_ms(version)) is not None
        ]
        return sorted(found, key=lambda wait: wait.ms)


@dataclass(frozen=True, slots=True)
class Wait:
    """One key: milliseconds, and the tokens read and generated for it."""

    ms: float
    read: int
    made: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Milliseconds from a key to its answer, over the keys that every system was asked about; ``accept_p50_ms`` is of
    the keys that accepted something, and ``slowest_read`` and ``slowest_made`` are tokens a key of the slowest
    twentieth. Costs are a key of all. ``cancel_read``: most prompt tokens read after a request was given up. None where
    nothing was seen."""

    keys: int
    asked_share: float
    answered_share: float
    shown_share: float
    reuse_share: float
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    slowest_read: float | None
    slowest_made: float | None
    accept_p50_ms: float | None
    tokens_read_per_key: float
    tokens_generated_per_key: float
    tokens_rejected_per_key: float
    cpu_s_per_100_keys: float
    rss_mb: float
    cancel_ms_p95: float | None
    cancel_read: int | None

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def summarize(measured: Measured, everybodys: set[tuple[int, int]] | None = None) -> Summary:
    """``everybodys``: the keys over which latency is compared; the system's own where none are given."""
    keys = [(record, version) for record in measured.records for version in record.keys]
    share = 1 / max(1, len(keys))
    waits = measured.waits(measured.typed() if everybodys is None else everybodys)
    times, slowest = [wait.ms for wait in waits], waits[int(0.95 * len(waits)) :]
    first = [answer for record, version in keys if (answer := record.first(version)) is not None]
    accepts = [r.waited_ms(v) for r, v in keys if r.keys[v].act in (Act.ACCEPT, Act.ACCEPT_WORD)]
    reads = [read for _, read in measured.cancels if read is not None]
    return Summary(
        keys=len(keys),
        asked_share=sum(record.keys[version].asked for record, version in keys) * share,
        answered_share=sum(record.waited_ms(version) is not None for record, version in keys) * share,
        shown_share=sum(bool(answer.insert) for answer in first) * share,
        reuse_share=sum(answer.reused for answer in first) * share,
        p50_ms=percentile(times, 50),
        p90_ms=percentile(times, 90),
        p95_ms=percentile(times, 95),
        p99_ms=percentile(times, 99),
        slowest_read=fmean(wait.read for wait in slowest) if slowest else None,
        slowest_made=fmean(wait.made for wait in slowest) if slowest else None,
        accept_p50_ms=percentile(sorted(ms for ms in accepts if ms is not None), 50),
        tokens_read_per_key=sum(used.read for used in measured.used) * share,
        tokens_generated_per_key=sum(used.generated for used in measured.used) * share,
        tokens_rejected_per_key=sum(used.rejected for used in measured.used) * share,
        cpu_s_per_100_keys=100 * sum(used.cpu_s for used in measured.used) * share,
        rss_mb=max((used.rss_mb for used in measured.used), default=0.0),
        cancel_ms_p95=percentile(sorted(ms for ms, _ in measured.cancels), 95),
        cancel_read=max(reads, default=None),
    )


def asked_of_all(systems: Iterable[Measured]) -> set[tuple[int, int]]:
    """The typed keys that every system was asked about."""
    each = [measured.typed() for measured in systems]
    return set.intersection(*each) if each else set()


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """Nearest rank; None of nothing."""
    if not ascending:
        return None
    return ascending[min(len(ascending) - 1, max(0, math.ceil(share / 100 * len(ascending)) - 1))]
