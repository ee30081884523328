"""``codegemma-lsp eval``: progress while it runs, and then a table, a summary in JSON, a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codegemma_lsp.evaluate import report
from codegemma_lsp.evaluate.bench import Plan, carry_out, pick
from codegemma_lsp.evaluate.humaneval import infilling as humaneval
from codegemma_lsp.evaluate.run import Result, Setup
from codegemma_lsp.evaluate.tasks import BadTasks, Split
from codegemma_lsp.models.packaged import NotPackaged
from codegemma_lsp.settings import Settings

ERRORS = (BadTasks, NotPackaged)


def infilling(
    settings: Sequence[Settings],
    split: Split,
    folder: Path | None,
    raw: bool,
    limit: int | None,
    seed: int,
    results: Path | None,
    summary: Path | None,
    picture: Path | None,
) -> None:
    """Runs each model on the same tasks. Raises ``BadTasks``, ``NotPackaged``, and what engines raise."""
    check_writable(summary, picture)
    tasks = pick(humaneval(split, seed), limit, seed)
    plans = [Plan(one, tasks, raw) for one in settings]
    where = results or user_cache_path("codegemma-lsp") / "eval"
    with progress() as shown:
        summaries = carry_out(plans, where, lambda setup: _told(shown, setup))
    console = Console()
    if not console.is_terminal:
        console.width = report.WIDTH
    console.print(report.table(summaries))
    console.print(f"Each task's result: {where}", soft_wrap=True, highlight=False)
    if summary is not None:
        summary.write_text(json.dumps(summaries, indent=1) + "\n", "utf-8")
    if picture is not None:
        report.plot(summaries, picture)


def check_writable(*paths: Path | None) -> None:
    """Before an hour's work and not after it. Raises ``BadTasks``."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise BadTasks(f"There is no folder {path.absolute().parent}; make it first, or name another file.")


def progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[right]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _told(shown: Progress, setup: Setup) -> Callable[[Result], None]:
    bar = shown.add_task(setup.label, total=setup.tasks, right="")
    right = 0

    def tell(result: Result) -> None:
        nonlocal right
        right += result.passed if result.passed is not None else result.exact
        shown.update(bar, advance=1, right=f"{right} right")

    return tell
