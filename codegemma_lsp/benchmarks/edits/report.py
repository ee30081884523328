"""The summary and the table of runs of edits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from codegemma_lsp.benchmarks.edits.answers import Mode
from codegemma_lsp.benchmarks.edits.run import Result, Setup
from codegemma_lsp.benchmarks.infilling.report import mean
from codegemma_lsp.benchmarks.statistics import percentile_or_none


def summary(setup: Setup, results: Sequence[Result]) -> dict[str, Any]:
    """Returns shares from 0 to 1, the number of altered docstrings, tokens per task, and milliseconds. ``mutants`` is
    the mean share of mutants that tests find, and None for other kinds."""
    scores = [one.score for one in results if one.score is not None]
    return {
        "model": setup.model,
        "kind": setup.kind.value,
        "mode": setup.mode.value,
        "half": setup.half,
        "n": len(results),
        "right": mean([one.right for one in results]),
        "mutants": mean(scores) if scores else None,
        "broke_syntax": mean([one.breaks_syntax for one in results]),
        "nothing_offered": mean([not one.offered for one in results]),
        "altered_docs": sum(one.altered_docs for one in results),
        "prompt_tokens": mean([one.prompt_tokens for one in results]),
        "completion_tokens": mean([one.completion_tokens for one in results]),
        "ms_p50": round(percentile_or_none([one.ms for one in results], 50) or 0.0, 2),
    }


def table(summaries: Sequence[dict[str, Any]]) -> Table:
    """Returns a table with a row for each model and kind.

    The column "raw" is what is right of the model's own answers, if they were asked for. The column "altered" is the
    number of fixes that changed a docstring. The columns "prompt" and "completion" are tokens per task.
    """
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "kind"):
        shown.add_column(name, no_wrap=True)
    for name in ("n", "right", "raw", "breaks", "nothing", "altered", "prompt", "completion", "p50 ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    raw = {(one["model"], one["kind"]): one["right"] for one in summaries if one["mode"] == Mode.RAW}
    for one in summaries:
        if one["mode"] == Mode.OFFERED:
            shown.add_row(Text(one["model"]), one["kind"], str(one["n"]), *_figures(one, raw))
    return shown


def _figures(one: dict[str, Any], raw: dict[tuple[str, str], float]) -> list[str]:
    plain = raw.get((one["model"], one["kind"]))
    return [
        _share(one["right"]),
        _share(plain) if plain is not None else "–",
        _share(one["broke_syntax"]),
        _share(one["nothing_offered"]),
        str(one["altered_docs"]),
        f"{one['prompt_tokens']:.0f}",
        f"{one['completion_tokens']:.0f}",
        f"{one['ms_p50']:.0f}",
    ]


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"
