"""``codegemma-lsp eval infilling`` shows progress, and then prints a table and writes a summary in JSON and plots."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codegemma_lsp.benchmarks.infilling import confidence, report
from codegemma_lsp.benchmarks.infilling.arms import Arm
from codegemma_lsp.benchmarks.infilling.bench import Plan, carry_out, pick
from codegemma_lsp.benchmarks.infilling.folder import folder_tasks, with_other_files
from codegemma_lsp.benchmarks.infilling.humaneval import humaneval_tasks
from codegemma_lsp.benchmarks.infilling.run import Result, Setup, read
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Split, after_indentation
from codegemma_lsp.benchmarks.sandbox import judging
from codegemma_lsp.files import BadOutput, cache_folder, check_folder, check_picture, check_writable
from codegemma_lsp.models.packaged import NotPackaged
from codegemma_lsp.prompt import BudgetTooSmall, Layout
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import Cut

ERRORS = (BadTasks, BadOutput, BudgetTooSmall, NotPackaged, OSError)
TASKS_OF_A_KIND = 100
"""The number of lines, of blocks and of expressions if no limit is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """The options of the command line. Each of ``settings`` is run on the same tasks, and with ``layouts`` in every
    layout. With ``indented``, the cursor is after the indentation of a line that is left out."""

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
    indented: bool = False


def evaluate(options: EvalOptions) -> None:
    """Runs each model on the same tasks. Raises ``ERRORS``, and what engines raise."""
    check_outputs(options)
    plans = plans_for(options)
    where = options.results or cache_folder("eval")
    with progress() as shown:
        summaries = carry_out(plans, where, lambda setup: on_result(shown, setup))
    write_summary(options.summary, summaries)
    console = wide_console()
    console.print(report.table(summaries))
    print_place(console, where, ran_programs=any(task.test for plan in plans for task in plan.tasks))
    if options.picture is not None:
        report.plot(summaries, options.picture)
    if options.confidence is not None:
        runs = {f"{one['model']}, {one['split']}, {report.how(one)}": read(Path(one["file"]))[1] for one in summaries}
        confidence.plot(runs, options.confidence)


def plans_for(options: EvalOptions) -> list[Plan]:
    """Returns the runs that the options ask for. Raises ``BadTasks`` if there are no tasks."""
    settings = [each for one in options.settings for each in (every_layout(one) if options.layouts else [one])]
    if options.folder is None:
        tasks = pick(humaneval_tasks(options.split, options.seed), options.limit, options.seed)
        tasks = [after_indentation(task) for task in tasks] if options.indented else tasks
        return [Plan(settings=one, tasks=tasks, raw=options.raw) for one in settings]
    plans = []
    for cut in Cut:
        tasks = folder_tasks(options.folder, cut, options.limit or TASKS_OF_A_KIND, options.seed)
        both = [(tasks, ""), (with_other_files(tasks, options.folder), Arm.ALL.value)] if tasks else []
        plans += [Plan(settings=one, tasks=shown, raw=options.raw, arm=arm) for one in settings for shown, arm in both]
    if not plans:
        raise BadTasks(f"There are no sources in {options.folder} that can be cut; name another folder.")
    return plans


def every_layout(settings: Settings) -> list[Settings]:
    return [settings.model_copy(update={"layout": layout, "heal": heal}) for layout in Layout for heal in (False, True)]


def check_outputs(options: EvalOptions) -> None:
    """Raises ``BadTasks`` or ``BadOutput`` if an output cannot be written."""
    check_writable(options.summary, options.picture, options.confidence)
    if options.results is not None and options.results.exists() and not options.results.is_dir():
        raise BadTasks(f"{options.results} is no folder; --out names the one where results go.")
    check_folder(options.results)
    check_picture(options.picture, "eval")
    check_picture(options.confidence, "eval")


def write_summary(path: Path | None, summaries: object) -> None:
    """Writes summaries as JSON, if there is a path."""
    if path is not None:
        path.write_text(json.dumps(summaries, indent=1) + "\n", "utf-8")


def print_place(console: Console, where: Path, *, ran_programs: bool) -> None:
    """Says where the results are, and what kept programs that ran from the rest of the system."""
    console.print(f"Each task's result: {where}", soft_wrap=True, highlight=False)
    if ran_programs:
        console.print(f"Programs ran behind: {judging.walls()}", soft_wrap=True, highlight=False)


def wide_console() -> Console:
    """Returns a console that, where it is no terminal, is wide enough for the tables."""
    console = Console(emoji=False, markup=False)
    if not console.is_terminal:
        console.width = report.WIDTH
    return console


def progress() -> Progress:
    console = Console(stderr=True, emoji=False, markup=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[right]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def on_result(shown: Progress, setup: Setup) -> Callable[[Result], None]:
    tell = counted(shown, f"{setup.model} ({report.how(setup.model_dump())})", setup.tasks)
    return lambda result: tell(result.passed if result.passed is not None else result.exact)


def counted(shown: Progress, what: str, total: int) -> Callable[[bool], None]:
    """Adds a bar for a run, and returns the function that is told of each result whether it is right."""
    bar, right = shown.add_task(what, total=total, right=""), 0

    def tell(is_right: bool) -> None:
        nonlocal right
        right += is_right
        shown.update(bar, advance=1, right=f"{right} right")

    return tell
