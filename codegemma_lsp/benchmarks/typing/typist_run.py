"""Runs the typist, and the opening of files, on each system in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.typing.baseline import N_PREDICT, LlamaVim
from codegemma_lsp.benchmarks.typing.baseline_completion import LlamaCompletion
from codegemma_lsp.benchmarks.typing.openings import LINES, OTHERS, OpenedFile, Openings, measure_openings, opened_file
from codegemma_lsp.benchmarks.typing.replay import Record
from codegemma_lsp.benchmarks.typing.run import OnProgress, as_options, difference, fastest_threads
from codegemma_lsp.benchmarks.typing.server import SERVER, CodegemmaServer
from codegemma_lsp.benchmarks.typing.typed_files import long_file, long_project_files, project_tasks, typing_tasks
from codegemma_lsp.benchmarks.typing.typist import SuggestingSystem, TypingTask, Typist
from codegemma_lsp.benchmarks.typing.typist_summary import TypistFigures, figures, median_or_none, medians
from codegemma_lsp.prompt import Family
from codegemma_lsp.settings import OtherFilesFrom, Settings

OWN_FILE_ONLY = "own file only"
"""The name of codegemma-lsp without other files."""
KEYS = 300
"""The number of keys in a session if none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypistRequest:
    """What to measure. ``keys`` is the approximate number of keys in a session. No ``languages`` means all that are
    installed. ``family`` is the model's. With a ``project``, its files are typed, and codegemma-lsp with pieces of its
    other files is compared with itself without them."""

    settings: Settings
    model: Path
    family: Family
    sessions: int
    keys: int
    seed: int
    languages: Sequence[str]
    baseline: bool
    project: Path | None = None


@dataclass
class TypistFindings:
    """The results by system: figures for each session, and openings for each round. ``tasks`` are what was typed, and
    ``missing`` has a sentence for each language without files."""

    sessions: dict[str, list[TypistFigures]] = field(default_factory=dict)
    openings: dict[str, list[Openings]] = field(default_factory=dict)
    tasks: list[TypingTask] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, dict[str, Any]]:
        """Returns each system's medians."""
        return {
            name: {**medians(sessions).as_json(), **_opening_medians(self.openings.get(name, []))}
            for name, sessions in self.sessions.items()
            if sessions
        }

    def as_json(self) -> dict[str, Any]:
        systems = self.figures()
        return {
            "systems": systems,
            "ratios": {name: ratios(systems[SERVER], systems[name]) for name in systems if name != SERVER},
            "sessions": {name: [one.as_json() for one in sessions] for name, sessions in self.sessions.items()},
            "openings": {name: [asdict(one) for one in rounds] for name, rounds in self.openings.items()},
            "tasks": [
                {"name": task.name, "language": task.language, "characters": len(task.typed)} for task in self.tasks
            ],
            "missing": self.missing,
        }


def ratios(server: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, float]:
    """Returns codegemma-lsp's figures divided by another system's, for the figures that both have."""
    return {
        name: round(value / baseline[name], 3)
        for name, value in server.items()
        if value is not None and baseline.get(name)
    }


def _opening_medians(rounds: Sequence[Openings]) -> dict[str, float | None]:
    names = ("cold_open_ms", "jump_ms", "return_ms")
    return {name: median_or_none([getattr(one, name) for one in rounds]) for name in names}


async def run_typist(asked: TypistRequest, found: TypistFindings, on_progress: OnProgress) -> None:
    """Fills ``found`` during the run. Raises ``RuntimeError`` if no file is installed, or if a system failed."""
    found.tasks = tasks = _tasks(asked, found)
    systems = await _systems(asked, tasks[0], on_progress)
    await _type_all(systems, tasks, asked.seed, found, on_progress)
    await _open_all(systems, asked, found, on_progress)


def _tasks(asked: TypistRequest, found: TypistFindings) -> list[TypingTask]:
    if asked.project is not None:
        tasks = project_tasks(asked.project, asked.sessions, asked.keys, asked.seed)
        if not tasks:
            raise RuntimeError(f"There is no file to type in {asked.project}; name another folder.")
        return tasks
    tasks, found.missing = typing_tasks(asked.sessions, asked.keys, asked.seed, asked.languages)
    if not tasks:
        raise RuntimeError(" ".join(found.missing) or "There is no file to type; name another language.")
    return tasks


def _in_project(options: Mapping[str, Any], project: Path) -> list[Callable[[], SuggestingSystem]]:
    folder = project.absolute().as_uri()
    alone = {**options, "otherFiles": OtherFilesFrom.NOWHERE.value}
    return [
        lambda: CodegemmaServer(SERVER, options, grows_suggestions=True, folder=folder),
        lambda: CodegemmaServer(OWN_FILE_ONLY, alone, grows_suggestions=True, folder=folder),
    ]


async def _systems(
    asked: TypistRequest, task: TypingTask, on_progress: OnProgress
) -> list[Callable[[], SuggestingSystem]]:
    """Returns functions that make the systems, none of which has been started."""
    settings = asked.settings
    options: Mapping[str, Any] = as_options(settings)
    if asked.project is not None:
        return _in_project(options, asked.project)
    systems: list[Callable[[], SuggestingSystem]] = [
        lambda: CodegemmaServer(SERVER, options, grows_suggestions=True),
    ]
    if not asked.baseline:
        return systems
    on_progress("measuring llama-server's threads")
    predict = settings.max_tokens if "max_tokens" in settings.model_fields_set else N_PREDICT
    context, layers = settings.context_tokens, settings.gpu_layers
    threads = await fastest_threads(
        lambda count: LlamaVim(asked.model, count, context, predict, layers), settings.threads, task.text
    )
    systems.append(lambda: LlamaVim(asked.model, threads, context, predict, layers))
    if asked.family.infills:
        systems.append(lambda: LlamaCompletion(asked.model, threads, context, asked.family, predict, layers))
    return systems


async def _type_all(
    systems: Sequence[Callable[[], SuggestingSystem]],
    tasks: Sequence[TypingTask],
    seed: int,
    found: TypistFindings,
    on_progress: OnProgress,
) -> None:
    """Types every task on every system in turns, so that a busy moment of the machine affects all of them."""
    async with AsyncExitStack() as started:
        running = [make() for make in systems]
        for system in running:
            on_progress(f"starting {system.name}")
            await system.start()
            started.push_async_callback(system.stop)
            found.sessions[system.name] = []
        for number, task in enumerate(tasks):
            for system in running if number % 2 == 0 else list(reversed(running)):
                on_progress(f"{system.name}: typing a part of {task.name}, {number + 1} of {len(tasks)}")
                before = await system.counters()
                session = await Typist(seed + number).type(task, system, Record())
                used = difference(await system.counters(), before)
                found.sessions[system.name].append(figures(session, used))


def _opened(asked: TypistRequest, seed: int) -> tuple[OpenedFile, list[TypingTask]]:
    """Returns the file that is opened, and the files that are opened before the return to it, in other folders unless
    they are of a project."""
    if asked.project is not None:
        files = long_project_files(asked.project)
        others = project_tasks(asked.project, OTHERS + 1, asked.keys, seed)
        opened = opened_file(files[seed % len(files)])
        return opened, [task for task in others if task.uri != opened.uri][:OTHERS]
    others, _ = typing_tasks(OTHERS, asked.keys, seed, ("python",))
    apart = [replace(task, folder=f"{task.folder}/other{number}") for number, task in enumerate(others)]
    return opened_file(long_file(LINES, seed)), apart


async def _open_all(
    systems: Sequence[Callable[[], SuggestingSystem]],
    asked: TypistRequest,
    found: TypistFindings,
    on_progress: OnProgress,
) -> None:
    """Opens files in a round for each session. Each system is started for each round, and runs alone."""
    for number in range(asked.sessions):
        file, others = _opened(asked, asked.seed + number)
        for make in systems:
            system = make()
            on_progress(f"{system.name}: opening files, {number + 1} of {asked.sessions}")
            await system.start()
            try:
                opened = await measure_openings(system, file, others)
            finally:
                await system.stop()
            found.openings.setdefault(system.name, []).append(opened)
