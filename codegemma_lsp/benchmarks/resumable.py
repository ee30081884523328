"""Answers and judges tasks one after the other. Each result is a line of a file, so that an interrupted run can
continue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from codegemma_lsp.benchmarks.infilling.tasks import BadTasks

_AHEAD = 4
"""The maximum number of answers that wait for their judgement."""


class Identified(Protocol):
    @property
    def id(self) -> str: ...


SetupT = TypeVar("SetupT", bound=BaseModel)
TaskT = TypeVar("TaskT", bound=Identified)
AnswerT = TypeVar("AnswerT")
ResultT = TypeVar("ResultT", bound=BaseModel)


class Finished(BaseModel):
    """The last line of a run that was not interrupted."""

    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[TaskT, AnswerT, ResultT]):
    """How a task is answered and judged. ``judge`` is called in another thread, and ``result`` is the type of what it
    returns, which has the task's ``id``."""

    answer: Callable[[TaskT], Awaitable[AnswerT]]
    judge: Callable[[TaskT, AnswerT], ResultT]
    result: type[ResultT]


def read(path: Path, setup_type: type[SetupT], result_type: type[ResultT]) -> tuple[SetupT, list[ResultT], bool]:
    """Returns a run's setup, its results so far, and whether it was finished. Raises ``BadTasks`` if the file is no
    run."""
    try:
        first, *lines = path.read_bytes().rstrip(b"\n").split(b"\n")
        setup = setup_type.model_validate_json(first)
        finished = bool(lines) and lines[-1].startswith(b'{"finished"')
        return setup, list(_results(lines[:-1] if finished else lines, result_type)), finished
    except (OSError, ValueError) as error:
        raise BadTasks(
            f"{path} is not a run of this program ({type(error).__name__}); delete it, or name another file."
        ) from None


def _results(lines: list[bytes], result_type: type[ResultT]) -> Iterator[ResultT]:
    for number, line in enumerate(lines, start=1):
        try:
            yield result_type.model_validate_json(line)
        except ValidationError:
            if number < len(lines):  # the last line may have been cut off
                raise


def run(
    setup: BaseModel,
    tasks: Sequence[TaskT],
    work: Work[TaskT, AnswerT, ResultT],
    path: Path,
    on_result: Callable[[ResultT], None],
) -> list[ResultT]:
    """Answers and judges the tasks, and writes each result to ``path``. An interrupted run of the same setup is
    continued.

    Raises ``BadTasks``, and what ``work`` raises, after all results so far are written.
    """
    done: dict[str, Any] = {}
    if path.exists() and path.stat().st_size:
        before, results, finished = read(path, type(setup), work.result)
        if before == setup and not finished:
            done = {_id(result): result for result in results}
    _begin(path, [setup, *done.values()])
    for result in done.values():
        on_result(result)
    with path.open("a", encoding="utf-8") as file:

        def write(line: BaseModel) -> None:
            file.write(line.model_dump_json() + "\n")
            file.flush()

        def keep(result: ResultT) -> None:
            done[_id(result)] = result
            write(result)
            on_result(result)

        asyncio.run(_run([task for task in tasks if task.id not in done], work, keep))
        write(Finished(finished=len(done)))
    return [done[task.id] for task in tasks]


def _id(result: Any) -> str:
    return str(result.id)


def _begin(path: Path, lines: Sequence[BaseModel]) -> None:
    """Writes a file with the results so far, and replaces the old file when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("".join(line.model_dump_json() + "\n" for line in lines), "utf-8")
    unfinished.replace(path)


async def _run(tasks: Sequence[TaskT], work: Work[TaskT, AnswerT, ResultT], keep: Callable[[ResultT], None]) -> None:
    """Answers one task after the other, so that timings are comparable, and judges answers in other threads."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2), "codegemma-judge") as judges:
        waiting: list[asyncio.Future[ResultT]] = []
        try:
            for task in tasks:
                given = await work.answer(task)
                waiting.append(loop.run_in_executor(judges, work.judge, task, given))
                while waiting and (waiting[0].done() or len(waiting) > _AHEAD):
                    keep(await waiting.pop(0))
        finally:
            for result in waiting:
                keep(await result)
