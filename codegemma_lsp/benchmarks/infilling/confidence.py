"""Measures how often suggestions are right by the model's confidence, from which the default of ``minConfidence`` is
chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from codegemma_lsp.benchmarks.infilling.run import Result

WANTED = 0.8
"""The share of shown suggestions that should be right."""
_LOWEST, _STEP = -2.0, 0.1
"""The lowest confidence that is drawn, and the width of a bar, in nats per token."""


def judged(results: Sequence[Result]) -> list[tuple[float, bool]]:
    """Returns (confidence, right) of each shown answer, the highest confidence first. An answer is right if it passes
    its tests, or without tests if it is the original text."""
    shown = [result for result in results if result.answer.strip()]
    pairs = [(r.confidence, r.passed if r.passed is not None else r.exact) for r in shown]
    return sorted(pairs, key=lambda pair: -pair[0])


def threshold(pairs: Sequence[tuple[float, bool]], wanted: float = WANTED) -> float | None:
    """Returns the lowest confidence from which the ``wanted`` share is right, or None if there is none."""
    right, lowest = 0, None
    for count, (confidence, is_right) in enumerate(pairs, start=1):
        right += is_right
        if right >= wanted * count:
            lowest = confidence
    return lowest


def plot(runs: Mapping[str, Sequence[Result]], path: Path) -> None:
    """Draws, for each run, right and wrong suggestions by confidence, and the share that is right from each confidence
    on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2 * len(runs)), layout="constrained")
    edges = [_LOWEST + _STEP * i for i in range(round(-_LOWEST / _STEP) + 1)]
    for axes, (name, results) in zip(figure.subplots(len(runs), squeeze=False)[:, 0], runs.items(), strict=True):
        pairs = judged(results)
        values = [[max(c, _LOWEST) for c, is_right in pairs if is_right is wanted] for wanted in (True, False)]
        axes.hist(values, edges, stacked=True, label=["right", "wrong"], color=["tab:green", "tab:red"])
        axes.set_ylabel("suggestions")
        axes.set_title(name, fontsize=10, loc="left")
        share, right, shares = axes.twinx(), 0, []
        for count, (_, is_right) in enumerate(pairs, start=1):
            right += is_right
            shares.append(100 * right / count)
        share.plot([max(c, _LOWEST) for c, _ in pairs], shares, color="black", linewidth=1)
        share.axhline(100 * WANTED, color="grey", linewidth=0.7, linestyle="--")
        share.set(ylim=(0, 100), ylabel="right from here on, %")
        if (lowest := threshold(pairs)) is not None:
            share.axvline(lowest, color="grey", linewidth=0.7, linestyle="--")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        axes.set_xlabel("mean log-probability, nats a token")
    figure.savefig(path, dpi=120)
