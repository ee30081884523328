"""``codegemma-lsp eval cross-file`` runs each arm on the same tasks, prints a table and writes a summary in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codegemma_lsp.benchmarks.cross_file.tasks import Half, Split, half_of, project_tasks
from codegemma_lsp.benchmarks.infilling import report
from codegemma_lsp.benchmarks.infilling.arms import Arm
from codegemma_lsp.benchmarks.infilling.bench import Plan, carry_out
from codegemma_lsp.benchmarks.infilling.command import on_result, progress, wide_console, write_summary
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Task
from codegemma_lsp.files import cache_folder, check_folder, check_writable
from codegemma_lsp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossFileOptions:
    """The options of the command line. ``limit`` is the number of tasks of each kind from a project."""

    settings: Sequence[Settings]
    projects: Sequence[Path]
    arms: Sequence[Arm]
    half: Half
    limit: int
    seed: int
    results: Path | None
    summary: Path | None


def evaluate(options: CrossFileOptions) -> None:
    """Runs each model with each arm on the same tasks. Raises ``BadTasks``, ``BadOutput``, and what engines raise."""
    check_writable(options.summary)
    check_folder(options.results)
    where = options.results or cache_folder("eval")
    tasks = _tasks(options, where)
    plans = [
        Plan(settings=one, tasks=[replace(task, arm=arm.value) for task in of_kind], raw=True, arm=arm.value)
        for one in options.settings
        for of_kind in tasks.values()
        for arm in options.arms
        if of_kind
    ]
    if not plans:
        raise BadTasks("The projects have no task of this half; name more projects, or --half both.")
    with progress() as shown:
        summaries = carry_out(plans, where, lambda setup: on_result(shown, setup))
    write_summary(options.summary, summaries)
    wide_console().print(report.cross_file_table(summaries))


def _tasks(options: CrossFileOptions, where: Path) -> dict[Split, list[Task]]:
    tasks: dict[Split, list[Task]] = {kind: [] for kind in Split}
    for project in options.projects:
        if options.half in (Half.BOTH, half_of(project)):
            for kind, found in project_tasks(project, options.limit, options.seed, where).items():
                tasks[kind] += found
    return tasks
