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
from codegemma_lsp.evaluate.folder import folder_tasks, with_other_files
from codegemma_lsp.evaluate.humaneval import infilling as humaneval
from codegemma_lsp.evaluate.run import Result, Setup
from codegemma_lsp.evaluate.tasks import BadTasks, Split
from codegemma_lsp.models.packaged import NotPackaged
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Cut

ERRORS = (BadTasks, NotPackaged)
TASKS_OF_A_KIND = 100


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
    plans = _cut_plans(settings, folder, raw, limit, seed) if folder else None
    plans = plans or [Plan(one, pick(humaneval(split, seed), limit, seed), raw) for one in settings]
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


def _cut_plans(settings: Sequence[Settings], folder: Path, raw: bool, limit: int | None, seed: int) -> list[Plan]:
    """Each model on lines, blocks and expressions of a folder's files, without and with pieces of other files."""
    plans = []
    for cut in Cut:
        tasks = folder_tasks(folder, cut, limit or TASKS_OF_A_KIND, seed)
        both = [(tasks, False), (with_other_files(tasks, folder), True)]
        plans += [Plan(one, asked, raw, cross_file) for one in settings for asked, cross_file in both if asked]
    if not plans:
        raise BadTasks(f"There are no sources in {folder} that can be cut; name another folder.")
    return plans


def check_writable(*paths: Path | None) -> None:
    """Before an hour's work and not after it. Raises ``BadTasks``."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise BadTasks(f"There is no folder {path.absolute().parent}; make it first, or name another file.")


def progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[right]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _told(shown: Progress, setup: Setup) -> Callable[[Result], None]:
    bar = shown.add_task(setup.label, total=setup.tasks, right="")
    right = 0

    def tell(result: Result) -> None:
        nonlocal right
        right += result.passed if result.passed is not None else result.exact
        shown.update(bar, advance=1, right=f"{right} right")

    return tell
