"""The summary, the table and the plot of a run."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from codegemma_lsp.benchmarks.infilling import confidence
from codegemma_lsp.benchmarks.infilling.run import Result, Setup
from codegemma_lsp.benchmarks.statistics import percentile_or_none

COLUMNS = ("pass@1", "exact", "similar", "shown", "breaks", "repeats", "prefill", "completion", "p50 ms", "p95 ms")
WIDTH = 132
"""The number of columns of a table that is not shown in a terminal."""


def summary(setup: Setup, results: Sequence[Result]) -> dict[str, Any]:
    """Returns shares from 0 to 1, tokens per task, and milliseconds.

    ``pass_at_1`` is None if no test was run. The rates of broken syntax and repeated suffixes are shares of the
    ``shown`` answers. ``sure_at`` is the confidence (in nats per token) from which four of five shown answers are
    right.
    """
    passed = [result.passed for result in results if result.passed is not None]
    ms = [result.ms for result in results]
    shown = [result for result in results if result.answer.strip()]
    return {
        "engine": setup.engine,
        "model": setup.model,
        "split": setup.split,
        "mode": setup.mode.value,
        "layout": setup.layout,
        "heal": setup.heal,
        "arm": setup.arm,
        "n": len(results),
        "pass_at_1": mean(passed) if passed else None,
        "exact_match": mean([r.exact for r in results]),
        "edit_similarity": mean([r.similarity for r in results]),
        "identifier_f1": mean([r.identifiers for r in results]),
        "prompt_tokens": mean([r.prompt_tokens for r in results]),
        "shown": mean([bool(r.answer.strip()) for r in results]),
        "syntax_break_rate": mean([r.breaks_syntax for r in shown]),
        "duplicate_suffix_rate": mean([r.duplicates_suffix for r in shown]),
        "prefill_tokens": mean([r.prefill_tokens for r in results]),
        "completion_tokens": mean([r.completion_tokens for r in results]),
        "sure_at": confidence.threshold(confidence.judged(results)),
        "ms_p50": round(percentile_or_none(ms, 50) or 0.0, 2),
        "ms_p95": round(percentile_or_none(ms, 95) or 0.0, 2),
    }


def mean(values: Sequence[float]) -> float:
    return round(fmean(values), 4) if values else 0.0


def table(summaries: Sequence[dict[str, Any]]) -> Table:
    """Returns a table with a row for each run.

    The column "shown" is the share of tasks with an answer. Of these, "breaks" adds syntax errors and "repeats" repeats
    what follows. The columns "prefill" and "completion" are tokens per task.
    """
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "split", "n", "how"):
        shown.add_column(name, no_wrap=name != "how", justify="right" if name == "n" else "left")
    for name in COLUMNS:
        shown.add_column(name, justify="right", no_wrap=True)
    for one in summaries:
        shown.add_row(Text(one["model"]), one["split"], str(one["n"]), how(one), *figures(one))
    return shown


def cross_file_table(summaries: Sequence[dict[str, Any]]) -> Table:
    """Returns a table with a row for each model, kind of task and arm. The column "identifiers" is their F1, and
    "prompt" is tokens per task."""
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "tasks", "other files"):
        shown.add_column(name, no_wrap=True)
    for name in ("n", "exact", "identifiers", "similar", "prompt", "p50 ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in summaries:
        shares = (f"{100 * one[name]:.1f}%" for name in ("exact_match", "identifier_f1", "edit_similarity"))
        counts = (f"{one['prompt_tokens']:.0f}", f"{one['ms_p50']:.0f}")
        shown.add_row(Text(one["model"]), one["split"], one["arm"], str(one["n"]), *shares, *counts)
    return shown


def how(one: dict[str, Any]) -> str:
    """Returns the mode in words, with what differs from the default."""
    if one["mode"] == "prefix-only":
        return "prefix only"
    healing = "" if one["heal"] else ", not healed"
    return f"{one['mode']}, {one['layout']}{healing}{', other files: ' + one['arm'] if one['arm'] else ''}"


def figures(one: dict[str, Any]) -> list[str]:
    shares = ("pass_at_1", "exact_match", "edit_similarity", "shown", "syntax_break_rate", "duplicate_suffix_rate")
    counts = ("prefill_tokens", "completion_tokens", "ms_p50", "ms_p95")
    return [
        *("–" if one[name] is None else f"{100 * one[name]:.1f}%" for name in shares),
        *(f"{one[name]:.0f}" for name in counts),
    ]


def plot(summaries: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws bars of pass@1, exact match and broken syntax for each run."""
    from matplotlib.figure import Figure

    measures = {"pass_at_1": "pass@1", "exact_match": "exact match", "syntax_break_rate": "breaks syntax"}
    figure = Figure(figsize=(9, 1.2 + 0.75 * len(summaries)), layout="constrained")
    axes = figure.add_subplot()
    for number, (key, name) in enumerate(measures.items()):
        values = [100 * (one[key] if one[key] is not None else nan) for one in summaries]
        at = [row + 0.27 * (number - 1) for row in range(len(summaries))]
        bars = axes.barh(at, values, 0.25, label=name)
        axes.bar_label(bars, ["" if isnan(v) else f"{v:.1f}" for v in values], padding=2, fontsize=8)
    names = [f"{one['model']}\n{one['split']}, {how(one)} (n={one['n']})" for one in summaries]
    axes.set_yticks(range(len(summaries)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(10.0, *(115 * (one[key] or 0) for one in summaries for key in measures)))
    axes.set_xlabel("share of tasks, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)
