"""``codegemma-lsp eval``: progress while it runs, and then a table, a summary in JSON, a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codegemma_lsp.benchmarks.infilling import confidence, report
from codegemma_lsp.benchmarks.infilling.bench import Plan, carry_out, pick
from codegemma_lsp.benchmarks.infilling.folder import folder_tasks, reader, with_other_files
from codegemma_lsp.benchmarks.infilling.humaneval import humaneval_tasks
from codegemma_lsp.benchmarks.infilling.run import Result, Setup, read
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Split
from codegemma_lsp.files import BadOutput, check_picture, check_writable
from codegemma_lsp.models.packaged import NotPackaged
from codegemma_lsp.prompt import BudgetTooSmall, Layout
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Cut

ERRORS = (BadTasks, BadOutput, BudgetTooSmall, NotPackaged, OSError)
TASKS_OF_A_KIND = 100
"""Lines, blocks and expressions each, where no limit is given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line: each of ``settings`` is put to the same tasks; with ``layouts``, in every layout."""

    settings: Sequence[Settings]
    split: Split
    folder: Path | None
    raw: bool
    layouts: bool
    limit: int | None
    seed: int
    results: Path | None
    summary: Path | None
    picture: Path | None
    confidence: Path | None = None


def evaluate(asked: Asked) -> None:
    """Runs each model on the same tasks. Raises ``ERRORS``, and what engines raise."""
    check_outputs(asked)
    plans = plans_for(asked)
    where = asked.results or user_cache_path("codegemma-lsp") / "eval"
    with progress() as shown:
        summaries = carry_out(plans, where, lambda setup: _told(shown, setup))
    if asked.summary is not None:
        asked.summary.write_text(json.dumps(summaries, indent=1) + "\n", "utf-8")
    console = Console()
    if not console.is_terminal:
        console.width = report.WIDTH
    console.print(report.table(summaries))
    console.print(f"Each task's result: {where}", soft_wrap=True, highlight=False, markup=False)
    if asked.picture is not None:
        report.plot(summaries, asked.picture)
    if asked.confidence is not None:
        runs = {f"{one['model']}, {one['split']}, {report.how(one)}": read(Path(one["file"]))[1] for one in summaries}
        confidence.plot(runs, asked.confidence)


def plans_for(asked: Asked) -> list[Plan]:
    """Raises ``BadTasks`` where the tasks cannot be had."""
    settings = [each for one in asked.settings for each in (every_layout(one) if asked.layouts else [one])]
    if asked.folder is None:
        tasks = pick(humaneval_tasks(asked.split, asked.seed), asked.limit, asked.seed)
        return [Plan(one, tasks, asked.raw) for one in settings]
    plans, read = [], reader(asked.folder)
    for cut in Cut:
        tasks = folder_tasks(asked.folder, cut, asked.limit or TASKS_OF_A_KIND, asked.seed)
        both = [(tasks, False), (with_other_files(tasks, read), True)] if tasks else []
        plans += [Plan(one, shown, asked.raw, cross_file) for one in settings for shown, cross_file in both]
    if not plans:
        raise BadTasks(f"There are no sources in {asked.folder} that can be cut; name another folder.")
    return plans


def every_layout(settings: Settings) -> list[Settings]:
    return [settings.model_copy(update={"layout": layout, "heal": heal}) for layout in Layout for heal in (False, True)]


def check_outputs(asked: Asked) -> None:
    """Raises ``BadTasks``, ``BadOutput``."""
    check_writable(asked.summary, asked.picture, asked.confidence)
    if asked.results is not None and asked.results.exists() and not asked.results.is_dir():
        raise BadTasks(f"{asked.results} is no folder; --out names the one where results go.")
    check_picture(asked.picture, "eval")
    check_picture(asked.confidence, "eval")


def progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[right]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _told(shown: Progress, setup: Setup) -> Callable[[Result], None]:
    bar = shown.add_task(f"{setup.model} ({report.how(setup.model_dump())})", total=setup.tasks, right="")
    right = 0

    def tell(result: Result) -> None:
        nonlocal right
        right += result.passed if result.passed is not None else result.exact
        shown.update(bar, advance=1, right=f"{right} right")

    return tell
