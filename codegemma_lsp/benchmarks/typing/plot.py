"""The plot of bench: how long keys wait, what they cost, and how that depends on the length of the file."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.typing.report import Findings
from codegemma_lsp.benchmarks.typing.sessions import Rhythm
from codegemma_lsp.benchmarks.typing.summary import asked_of_all


def plot(found: Findings, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    latency, reads, lines = figure.subplots(1, 3)
    for rhythm, measured in found.measured.items():
        everybodys = asked_of_all(measured.values())
        for number, (name, one) in enumerate(measured.items()):
            times = [wait.ms for wait in one.waits(everybodys)]
            shares = [100 * (i + 1) / len(times) for i in range(len(times))]
            style = "-" if rhythm is Rhythm.PERSON else ":"
            latency.plot(times, shares, style, color=f"C{number}", label=f"{name}, {rhythm.value}")
    for name, one in next(iter(found.measured.values()), {}).items():
        longest = max(one.records, key=lambda record: len(record.keys))
        read = list(accumulate(longest.prefill_tokens.get(version, 0) for version in longest.keys))
        reads.plot(range(1, len(read) + 1), read, label=name)
    lengths = found.lengths
    latency.set(xscale="log", xlabel="key to answer, ms", ylabel="keys, %")
    reads.set(xlabel="key", ylabel="prefill tokens so far", yscale="symlog")
    lines.plot([one.lines for one in lengths], [one.own_p50_ms for one in lengths], "o-", label="p50")
    lines.plot([one.lines for one in lengths], [one.own_p95_ms for one in lengths], "o:", label="p95")
    lines.set(xscale="log", xlabel="lines of the file", ylabel="ms a key besides the model", ylim=(0, None))
    for axes in (latency, reads, lines):
        _finish(axes)
    figure.savefig(path, dpi=140)


def _finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
