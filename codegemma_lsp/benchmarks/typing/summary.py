"""Computes the figures of systems from their records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from codegemma_lsp.benchmarks.statistics import percentile_or_none
from codegemma_lsp.benchmarks.typing.replay import Counters, Record
from codegemma_lsp.benchmarks.typing.sessions import Act

_TYPED = (Act.TYPE, Act.DELETE)


@dataclass
class Measured:
    """One system's records of one rhythm for each session, what each session used, and its cancelled requests."""

    records: list[Record] = field(default_factory=list)
    used: list[Counters] = field(default_factory=list)
    cancels: list[tuple[float, int | None]] = field(default_factory=list)

    def typed(self) -> set[tuple[int, int]]:
        """Returns the typed and deleted keys that the system was asked about, as (session, key). Acceptances are left
        out, because not every system has something to accept."""
        return {
            (session, pressed.number)
            for session, record in enumerate(self.records)
            for pressed in record.keys.values()
            if pressed.asked and pressed.act in _TYPED
        }

    def waits(self, of: set[tuple[int, int]]) -> list[Wait]:
        """Returns how long those keys waited, the shortest first. Keys without an answer are left out."""
        found = [
            Wait(
                ms=waited,
                prefill_tokens=record.prefill_tokens.get(version, 0),
                completion_tokens=record.completion_tokens.get(version, 0),
            )
            for session, record in enumerate(self.records)
            for version, pressed in record.keys.items()
            if (session, pressed.number) in of and (waited := record.waited_ms(version)) is not None
        ]
        return sorted(found, key=lambda wait: wait.ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The wait of one key in milliseconds, and the tokens of its prefill and its completion."""

    ms: float
    prefill_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of one system at one rhythm. A figure is None if it was not observed.

    Latencies are milliseconds from a key to its answer, over the keys that every system was asked about.
    ``accept_p50_ms`` is that of the keys that accepted something. ``slowest_prefill_tokens`` and
    ``slowest_completion_tokens`` are means over the slowest twentieth of the keys. Costs per key are means over all
    keys. ``prefill_tokens_after_cancel`` is the maximum that was prefilled after a cancellation.
    """

    keys: int
    asked_share: float
    answered_share: float
    shown_share: float
    reuse_share: float
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    slowest_prefill_tokens: float | None
    slowest_completion_tokens: float | None
    accept_p50_ms: float | None
    prefill_tokens_per_key: float
    completion_tokens_per_key: float
    rejected_tokens_per_key: float
    cpu_s_per_100_keys: float
    rss_mb: float
    cancel_ms_p95: float | None
    prefill_tokens_after_cancel: int | None

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def summarize(measured: Measured, everybodys: set[tuple[int, int]] | None = None) -> Summary:
    """Returns a system's figures. ``everybodys`` are the keys over which latency is compared; the default is the
    system's own."""
    keys = [(record, version) for record in measured.records for version in record.keys]
    share = 1 / max(1, len(keys))
    waits = measured.waits(measured.typed() if everybodys is None else everybodys)
    times, slowest = [wait.ms for wait in waits], waits[int(0.95 * len(waits)) :]
    first = [answer for record, version in keys if (answer := record.first(version)) is not None]
    accepts = [r.waited_ms(v) for r, v in keys if r.keys[v].act in (Act.ACCEPT, Act.ACCEPT_WORD)]
    prefill_tokens = [prefill_tokens for _, prefill_tokens in measured.cancels if prefill_tokens is not None]
    return Summary(
        keys=len(keys),
        asked_share=sum(record.keys[version].asked for record, version in keys) * share,
        answered_share=sum(record.waited_ms(version) is not None for record, version in keys) * share,
        shown_share=sum(bool(answer.insert) for answer in first) * share,
        reuse_share=sum(answer.reused for answer in first) * share,
        p50_ms=percentile_or_none(times, 50),
        p90_ms=percentile_or_none(times, 90),
        p95_ms=percentile_or_none(times, 95),
        p99_ms=percentile_or_none(times, 99),
        slowest_prefill_tokens=fmean(wait.prefill_tokens for wait in slowest) if slowest else None,
        slowest_completion_tokens=fmean(wait.completion_tokens for wait in slowest) if slowest else None,
        accept_p50_ms=percentile_or_none([ms for ms in accepts if ms is not None], 50),
        prefill_tokens_per_key=sum(used.prefill_tokens for used in measured.used) * share,
        completion_tokens_per_key=sum(used.completion_tokens for used in measured.used) * share,
        rejected_tokens_per_key=sum(used.rejected_tokens for used in measured.used) * share,
        cpu_s_per_100_keys=100 * sum(used.cpu_s for used in measured.used) * share,
        rss_mb=max((used.rss_mb for used in measured.used), default=0.0),
        cancel_ms_p95=percentile_or_none([ms for ms, _ in measured.cancels], 95),
        prefill_tokens_after_cancel=max(prefill_tokens, default=None),
    )


def asked_of_all(systems: Iterable[Measured]) -> set[tuple[int, int]]:
    """Returns the typed keys that every system was asked about."""
    each = [measured.typed() for measured in systems]
    return set.intersection(*each) if each else set()
