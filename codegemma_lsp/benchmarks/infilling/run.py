"""A run answers and judges every task. Each result is a line of a file, so that an interrupted run can continue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from codegemma_lsp.benchmarks.infilling.answers import Answer, Mode, answer
from codegemma_lsp.benchmarks.infilling.measures import (
    breaks_syntax,
    duplicates_suffix,
    edit_similarity,
    exact_match,
    identifier_f1,
)
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Task
from codegemma_lsp.benchmarks.sandbox import judging
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.models import model_files
from codegemma_lsp.settings import Settings

_AHEAD = 4
"""The maximum number of answers that wait for their judgement."""

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


class Finished(BaseModel):
    """The last line of a run that was not interrupted."""

    finished: int


def stamp(path: Path | None) -> str:
    """Returns a text that identifies a version of a model: the bytes and the last change of its file or files, or ""
    for a model of a server."""
    if path is None:
        return ""
    files = [file.stat() for file in model_files(path)]
    return f"{sum(f.st_size for f in files)}-{max((f.st_mtime_ns for f in files), default=0)}"


def read(path: Path) -> tuple[Setup, list[Result], bool]:
    """Returns a run's setup, its results so far, and whether it was finished. Raises ``BadTasks`` if the file is no
    run."""
    try:
        first, *lines = path.read_bytes().rstrip(b"\n").split(b"\n")
        setup = Setup.model_validate_json(first)
        finished = bool(lines) and lines[-1].startswith(b'{"finished"')
        return setup, list(_results(lines[:-1] if finished else lines)), finished
    except (OSError, ValueError) as error:
        raise BadTasks(
            f"{path} is not a run of this program ({type(error).__name__}); delete it, or name another file."
        ) from None


def _results(lines: list[bytes]) -> Iterator[Result]:
    for number, line in enumerate(lines, start=1):
        try:
            yield Result.model_validate_json(line)
        except ValidationError:
            if number < len(lines):  # the last line may have been cut off
                raise


def run(
    setup: Setup, tasks: Sequence[Task], engine: Engine, settings: Settings, path: Path, on_result: OnResult
) -> list[Result]:
    """Answers and judges the tasks, and writes each result to ``path``. An interrupted run of the same setup is
    continued.

    Raises what the engine raises, after all results so far are written.
    """
    done: dict[str, Result] = {}
    if path.exists() and path.stat().st_size:
        before, results, finished = read(path)
        if before == setup and not finished:
            done = {result.id: result for result in results}
    _begin(path, [setup, *done.values()])
    for result in done.values():
        on_result(result)
    with path.open("a", encoding="utf-8") as file:

        def write(line: BaseModel) -> None:
            file.write(line.model_dump_json() + "\n")
            file.flush()

        def keep(result: Result) -> None:
            done[result.id] = result
            write(result)
            on_result(result)

        asyncio.run(_run([t for t in tasks if t.id not in done], engine, settings, setup.mode, keep))
        write(Finished(finished=len(done)))
    return [done[task.id] for task in tasks]


def _begin(path: Path, lines: Sequence[BaseModel]) -> None:
    """Writes a file with the results so far, and replaces the old file when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(line.model_dump_json() + "\n" for line in lines), "utf-8")
    unfinished.replace(path)


async def _run(tasks: Sequence[Task], engine: Engine, settings: Settings, mode: Mode, keep: OnResult) -> None:
    """Answers one task after the other, so that timings are comparable, and judges answers in other threads."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2), "codegemma-judge") as judges:
        waiting: list[asyncio.Future[Result]] = []
        try:
            for task in tasks:
                given = await answer(task, engine, settings, mode)
                waiting.append(loop.run_in_executor(judges, judge, task, given))
                while waiting and (waiting[0].done() or len(waiting) > _AHEAD):
                    keep(await waiting.pop(0))
        finally:
            for result in waiting:
                keep(await result)


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
