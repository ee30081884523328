"""A run answers and judges the tasks of one kind in one way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from codegemma_lsp.benchmarks import resumable
from codegemma_lsp.benchmarks.edits import judging
from codegemma_lsp.benchmarks.edits.answers import ListeningEngine, Mode, answer
from codegemma_lsp.benchmarks.edits.tasks import FIXES, Kind, Task
from codegemma_lsp.benchmarks.infilling.bench import NO_ANSWER, digest
from codegemma_lsp.benchmarks.resumable import Work
from codegemma_lsp.settings import Settings


class Setup(BaseModel):
    """The setup of a run: its model, kind, mode, settings and tasks. It is the first line of a run's file."""

    model_config = ConfigDict(frozen=True)

    model: str
    model_stamp: str
    kind: Kind
    mode: Mode
    half: str
    seed: int
    tasks: int
    asked: str
    """A digest of the tasks and of all settings that can change an answer."""


class Result(BaseModel):
    """The result of one task.

    ``answer`` is the text that was judged, and ``said`` the model's. ``score`` is the share of mutants that tests find,
    and None for other kinds. ``altered_docs`` says whether a fix changed a docstring. Tokens and milliseconds are
    those of the answer.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    right: bool
    reason: str
    score: float | None
    offered: bool
    breaks_syntax: bool
    altered_docs: bool
    prompt_tokens: int
    completion_tokens: int
    ms: float
    command: str
    answer: str
    said: str


def asked(settings: Settings, tasks: Sequence[Task]) -> str:
    """Returns a digest of the tasks, without the answers that are only used to check the checks, and of the
    settings."""
    shown = [{key: value for key, value in asdict(task).items() if key not in ("right", "wrong")} for task in tasks]
    return digest([settings.model_dump(mode="json", exclude=NO_ANSWER | {"chat_model"}), shown])


def file_of(folder: Path, setup: Setup) -> Path:
    """Returns the file of a run's results. Equal setups have the same file."""
    name = re.sub(r"[^\w.-]", "_", f"edits-{setup.model}-{setup.kind}-{setup.mode}")
    return folder / f"{name}-{digest(setup.model_dump(mode='json'))}.jsonl"


def run(
    setup: Setup,
    tasks: Sequence[Task],
    engine: ListeningEngine,
    settings: Settings,
    path: Path,
    on_result: Callable[[Result], None],
) -> list[Result]:
    """Answers and judges the tasks, and writes each result to ``path``. An interrupted run of the same setup is
    continued. Raises ``BadTasks``, and what the engine raises, after all results so far are written."""
    work: Work[Task, judging.Given, Result] = Work(
        answer=lambda task: answer(task, engine, settings, setup.mode), judge=judge, result=Result
    )
    return resumable.run(setup, tasks, work, path, on_result)


def judge(task: Task, given: judging.Given) -> Result:
    """Returns an answer's result."""
    verdict = judging.judge(task, given)
    return Result(
        id=task.id,
        right=verdict.right,
        reason=verdict.reason,
        score=verdict.score,
        offered=bool(given.text.strip()),
        breaks_syntax=judging.breaks_syntax(task, given),
        altered_docs=task.kind in FIXES and judging.alters_documentation(task, given),
        prompt_tokens=given.usage.prompt_tokens,
        completion_tokens=given.usage.completion_tokens,
        ms=round(given.ms, 2),
        command=task.command,
        answer=given.text,
        said=given.said,
    )
