"""A run answers and judges every task. Each result is a line of a file, so that an interrupted run can continue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from codegemma_lsp.benchmarks import resumable
from codegemma_lsp.benchmarks.infilling.answers import Answer, Mode, answer
from codegemma_lsp.benchmarks.infilling.measures import (
    breaks_syntax,
    duplicates_suffix,
    edit_similarity,
    exact_match,
    identifier_f1,
)
from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.benchmarks.resumable import Work
from codegemma_lsp.benchmarks.sandbox import judging
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.models import model_files
from codegemma_lsp.settings import Settings

OnResult: TypeAlias = Callable[["Result"], None]


class Setup(BaseModel):
    """The setup of a run: its model, mode, settings and tasks. It is the first line of a run's file."""

    model_config = ConfigDict(frozen=True)

    engine: str
    model: str
    model_stamp: str
    split: str
    mode: Mode
    layout: str
    heal: bool
    max_tokens: int
    temperature: float
    seed: int
    arm: str
    tasks: int
    asked: str
    """A digest of the tasks and of all settings that can change an answer."""


class Result(BaseModel):
    """The result of one task.

    ``passed`` is None if there is no test to run. Tokens and milliseconds are those of the answer. ``said`` is the
    model's text, and ``answer`` is what was shown of it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    split: str
    answer: str
    passed: bool | None
    reason: str
    exact: bool
    similarity: float
    identifiers: float
    breaks_syntax: bool
    duplicates_suffix: bool
    prompt_tokens: int
    prefill_tokens: int
    completion_tokens: int
    ms: float
    said: str
    confidence: float


def stamp(path: Path | None) -> str:
    """Returns a text that identifies a version of a model: the bytes and the last change of its file or files, or ""
    for a model of a server."""
    if path is None:
        return ""
    files = [file.stat() for file in model_files(path)]
    return f"{sum(f.st_size for f in files)}-{max((f.st_mtime_ns for f in files), default=0)}"


def read(path: Path) -> tuple[Setup, list[Result], bool]:
    """Returns a run's setup, its results so far, and whether it was finished. Raises ``BadTasks``."""
    return resumable.read(path, Setup, Result)


def run(
    setup: Setup, tasks: Sequence[Task], engine: Engine, settings: Settings, path: Path, on_result: OnResult
) -> list[Result]:
    """Answers and judges the tasks, and writes each result to ``path``. An interrupted run of the same setup is
    continued.

    Raises ``BadTasks``, and what the engine raises, after all results so far are written.
    """
    work: Work[Task, Answer, Result] = Work(
        answer=lambda task: answer(task, engine, settings, setup.mode), judge=judge, result=Result
    )
    return resumable.run(setup, tasks, work, path, on_result)


def judge(task: Task, given: Answer) -> Result:
    """Runs the task's tests on the answer, if it has any, and measures the answer."""
    verdict = judging.run(given.applied(task), task.test) if task.test else None
    usage = given.usage
    return Result(
        id=task.id,
        split=task.split,
        answer=given.text,
        passed=verdict.passed and _fills_in(task, given) if verdict is not None else None,
        reason=given.reason or (verdict.reason if verdict else ""),
        exact=exact_match(task, given),
        similarity=round(edit_similarity(task, given), 4),
        identifiers=round(identifier_f1(task, given), 4),
        breaks_syntax=breaks_syntax(task, given),
        duplicates_suffix=duplicates_suffix(task, given),
        prompt_tokens=usage.prompt_tokens,
        prefill_tokens=usage.prefill_tokens,
        completion_tokens=usage.completion_tokens,
        ms=round(given.ms, 2),
        said=given.said,
        confidence=round(given.confidence, 4),
    )


def _fills_in(task: Task, given: Answer) -> bool:
    """Returns whether the answer contains something. Some middles are not needed by the tests, but an empty answer does
    not fill them in."""
    return bool(given.text.strip()) or (bool(given.text) and not task.middle.strip())
