"""``codegemma-lsp eval edits`` answers tasks of each kind, and prints a table and writes a summary in JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.cross_file.tasks import Half
from codegemma_lsp.benchmarks.edits import from_humaneval, questions, report, written
from codegemma_lsp.benchmarks.edits.answers import ListeningEngine, Mode
from codegemma_lsp.benchmarks.edits.run import Result, Setup, asked, file_of, run
from codegemma_lsp.benchmarks.edits.tasks import Kills, Kind, Placed, Ran, Source, Task, pick
from codegemma_lsp.benchmarks.infilling.command import counted, print_place, progress, wide_console, write_summary
from codegemma_lsp.benchmarks.infilling.run import stamp
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks
from codegemma_lsp.engines.selection import Selection, select_chat
from codegemma_lsp.files import cache_folder, check_folder, check_writable
from codegemma_lsp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class EditsOptions:
    """The options of the command line. ``limit`` is the number of tasks of each kind. With ``raw``, the model's own
    answers are judged too."""

    settings: Sequence[Settings]
    kinds: Sequence[Kind]
    half: Half
    raw: bool
    limit: int | None
    seed: int
    results: Path | None
    summary: Path | None


SOURCES: Mapping[Kind, Callable[[int], list[Source]]] = {
    Kind.FIX_WHOLE: lambda seed: from_humaneval.fixes(Kind.FIX_WHOLE, seed),
    Kind.FIX_MESSAGE: lambda seed: from_humaneval.fixes(Kind.FIX_MESSAGE, seed),
    Kind.FIX_LINE: lambda seed: from_humaneval.fixes(Kind.FIX_LINE, seed),
    Kind.INSTRUCT: lambda _: [*written.instructions(), *from_humaneval.instructions()],
    Kind.DOC: lambda _: from_humaneval.documentation(),
    Kind.TESTS: from_humaneval.tests,
    Kind.BLANK: lambda _: written.blanks(),
    Kind.QUESTION: lambda _: questions.questions(),
}
"""What the tasks of each kind are made from, with a seed."""


def evaluate(options: EditsOptions) -> None:
    """Runs each model on the same tasks. Raises ``BadTasks``, ``BadOutput``, and what engines raise."""
    check_writable(options.summary)
    check_folder(options.results)
    where = options.results or cache_folder("eval")
    tasks = {
        kind: pick(SOURCES[kind](options.seed), options.half, options.limit, options.seed) for kind in options.kinds
    }
    if not any(tasks.values()):
        raise BadTasks("There is no task of these kinds in this half; name more kinds, or --half both.")
    summaries: list[dict[str, Any]] = []
    with progress() as shown:
        for settings in options.settings:
            summaries += _evaluate_model(settings, tasks, options, where, shown)
    write_summary(options.summary, summaries)
    console = wide_console()
    console.print(report.table(summaries))
    checks = [task.check for of_kind in tasks.values() for task in of_kind]
    print_place(console, where, ran_programs=any(isinstance(one, Ran | Placed | Kills) for one in checks))


def _evaluate_model(
    settings: Settings, tasks: Mapping[Kind, Sequence[Task]], options: EditsOptions, where: Path, shown: Progress
) -> list[dict[str, Any]]:
    chosen = select_chat(settings)
    engine = ListeningEngine(engines.load(chosen.settings))
    summaries = []
    try:
        for kind, of_kind in tasks.items():
            for mode in [Mode.OFFERED, Mode.RAW] if options.raw else [Mode.OFFERED]:
                if of_kind:
                    setup = _setup(settings, chosen, kind, mode, of_kind, options)
                    path = file_of(where, setup)
                    results = run(setup, of_kind, engine, settings, path, _on_result(shown, setup))
                    summaries.append({**report.summary(setup, results), "file": str(path)})
    finally:
        engine.close()
    return summaries


def _setup(
    settings: Settings, chosen: Selection, kind: Kind, mode: Mode, tasks: Sequence[Task], options: EditsOptions
) -> Setup:
    return Setup(
        model=chosen.choice.model if chosen.choice.path is None else chosen.choice.path.stem,
        model_stamp=stamp(chosen.choice.path),
        kind=kind,
        mode=mode,
        half=options.half.value,
        seed=options.seed,
        tasks=len(tasks),
        asked=asked(settings, tasks),
    )


def _on_result(shown: Progress, setup: Setup) -> Callable[[Result], None]:
    tell = counted(shown, f"{setup.model} ({setup.kind}, {setup.mode})", setup.tasks)
    return lambda result: tell(result.right)
