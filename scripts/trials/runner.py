"""Runs trials, each in a process of its own, and gives each its part of the time."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from scripts.trials.trial import Case, Failed, LeftOut, Trial

MOST_FAILURES = 20
"""The number of failures after which a trial is given up."""
_GRACE_S = 30.0
"""The number of seconds that a process has beyond its limits, to start, to clean up and to end."""
_START_S = 120.0
"""The same for what a trial prepares, on a busy machine."""
_NONE_YET = -1

_CONTEXT = multiprocessing.get_context("spawn")
Finder: TypeAlias = Callable[[str], Trial]
"""Returns a trial by its name. It must be a function of a module, because it is sent to other processes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``case`` is the number of the case, or None if the trial failed before its first or after its last one."""

    trial: str
    case: int | None
    problem: str

    def reproduced_by(self, seed: str) -> str:
        """Returns the command that runs the case again."""
        case = "" if self.case is None else f" --case {self.case}"
        return f"scripts/torture --seed {seed} --only {self.trial}{case}"


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of a trial. ``left_out`` is the reason why it did not run, or ""."""

    trial: Trial
    cases: int = 0
    units: int = 0
    seconds: float = 0.0
    left_out: str = ""
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a process does: the cases of a trial from the first, for some seconds, or one only."""

    seed: str
    first: int
    seconds: float
    only_one: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    cases: int
    units: int


def lanes(trials: Sequence[Trial], jobs: int) -> list[list[Trial]]:
    """Returns the trials in as many rows as run side by side, of about equal weight."""
    rows: list[list[Trial]] = [[] for _ in range(min(jobs, len(trials)))]
    for trial in sorted(trials, key=lambda one: -one.weight):
        min(rows, key=lambda row: sum(one.weight for one in row)).append(trial)
    return rows


class Runner:
    """Runs trials. ``on_failure`` is told each failure, ``on_end`` each result, both in any thread."""

    def __init__(
        self, find: Finder, seed: str, on_failure: Callable[[Failure], None], on_end: Callable[[Result], None]
    ) -> None:
        self._find, self._seed = find, seed
        self._on_failure, self._on_end = on_failure, on_end

    def run(self, trials: Sequence[Trial], seconds: float, jobs: int, case: int | None) -> list[Result]:
        """Returns the results, in the order of the trials. ``case`` runs one case of each alone."""
        results = {trial.name: Result(trial=trial) for trial in trials}
        threads = [
            threading.Thread(target=self._lane, args=(row, seconds, case, results)) for row in lanes(trials, jobs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return list(results.values())

    def _lane(self, row: Sequence[Trial], seconds: float, case: int | None, results: dict[str, Result]) -> None:
        end = time.monotonic() + seconds
        for place, trial in enumerate(row):
            # What one trial leaves of its time is the others'.
            share = trial.weight / sum(one.weight for one in row[place:])
            result = results[trial.name]
            began = time.monotonic()
            self._trial(result, max(1.0, share * (end - began)), case)
            result.seconds = time.monotonic() - began
            self._on_end(result)

    def _trial(self, result: Result, seconds: float, case: int | None) -> None:
        """A process that ends or hangs costs its case, and the next one goes on behind it."""
        end, first = time.monotonic() + seconds, case or 0
        while len(result.failures) < MOST_FAILURES and not result.left_out:
            left = end - time.monotonic()
            part = Part(seed=self._seed, first=first, seconds=max(left, 0.0), only_one=case is not None)
            last = self._process(result, part)
            if last is None or case is not None or time.monotonic() >= end:
                return
            first = last + 1

    def _process(self, result: Result, part: Part) -> int | None:
        """Returns the number of the case that ended the process or hung, or None if it has done its part."""
        with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
            return self._process_in(Path(folder), result, part)

    def _process_in(self, folder: Path, result: Result, part: Part) -> int | None:
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        current = _CONTEXT.Value("q", _NONE_YET)
        process = _CONTEXT.Process(target=_child, args=(self._find, result.trial.name, folder, part, theirs, current))
        process.start()
        theirs.close()
        watch = _Watch(result.trial, part.seconds)
        while (problem := watch.problem(current.value)) is None:
            if ours.poll(0.2):
                try:
                    told = ours.recv()
                except EOFError:
                    problem = "the trial's process ended before its time"
                    break
                if self._take(result, told):
                    process.join(_GRACE_S)
                    _end(process)
                    return None
        _end(process)
        case = max(current.value, part.first)
        self._fail(result, Failure(result.trial.name, case, f"{problem} (status {process.exitcode})"))
        return case

    def _take(self, result: Result, told: Any) -> bool:
        """Returns whether the process has done its part."""
        match told:
            case _Counted():
                result.cases, result.units = result.cases + told.cases, result.units + told.units
            case Failure():
                self._fail(result, told)
            case str():
                result.left_out = told
        return told is None

    def _fail(self, result: Result, failure: Failure) -> None:
        result.failures.append(failure)
        self._on_failure(failure)


class _Watch:
    """Notices a process that hangs."""

    def __init__(self, trial: Trial, seconds: float) -> None:
        self._trial = trial
        self._case, self._since = _NONE_YET, time.monotonic()

    def problem(self, case: int) -> str | None:
        now = time.monotonic()
        if case != self._case:
            self._case, self._since = case, now
        limit = _START_S + _GRACE_S if case == _NONE_YET else self._trial.case_s + _GRACE_S + _START_S
        return f"nothing was heard for {limit:.0f} seconds" if now - self._since > limit else None


def _end(process: Any) -> None:
    """Ends a process with all that it has started."""
    if process.is_alive() and process.pid is not None:
        with suppress(AttributeError, ProcessLookupError):  # where there are no groups, and before it has one
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    process.join()


def _child(find: Finder, name: str, folder: Path, part: Part, pipe: Connection, current: Any) -> None:
    """The process of a trial: it knows nothing of the user's own models and settings."""
    if hasattr(os, "setsid"):
        os.setsid()
    _isolate(folder / "user")
    asyncio.run(_Cases(find(name), part, pipe, current).run(folder))
    pipe.send(None)
    pipe.close()
    sys.stdout.flush()
    os._exit(0)  # a thread that a failed case has left is not waited for


def _isolate(folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("CODEGEMMA_", "HF_", "HUGGING"))]:
        del os.environ[name]
    for name in ("models", "data", "state", "cache"):
        os.environ[f"CODEGEMMA_{name.upper()}"] = str(folder / name)
    os.environ["CODEGEMMA_CONFIG"] = str(folder / "config.toml")
    os.environ["HF_HUB_OFFLINE"] = "1"


class _Cases:
    """The cases of one process, one after the other."""

    def __init__(self, trial: Trial, part: Part, pipe: Connection, current: Any) -> None:
        self._trial, self._part, self._pipe, self._current = trial, part, pipe, current
        self._number, self._failures = part.first, 0
        self._end = time.monotonic() + part.seconds
        self._is_done = False

    async def run(self, folder: Path) -> None:
        """Prepares again after each failure."""
        while not self._is_done and self._failures < MOST_FAILURES:
            case: int | None = None
            own = Path(tempfile.mkdtemp(dir=folder))
            try:
                async with self._trial.prepared(own) as run_case:
                    self._end = max(self._end, time.monotonic() + 0.01)
                    while not self._is_done:
                        case = self._number
                        await self._one(run_case)
                    case = None
            except LeftOut as reason:
                self._pipe.send(str(reason))
                return
            except Exception as error:
                self._failures += 1
                self._pipe.send(Failure(self._trial.name, case, _line(error)))
                self._is_done |= self._part.only_one or time.monotonic() >= self._end

    async def _one(self, run_case: Case) -> None:
        number, self._number = self._number, self._number + 1
        self._current.value = number
        units = 0
        try:
            async with asyncio.timeout(self._trial.case_s):
                units = await run_case(random.Random(f"{self._part.seed}/{self._trial.name}/{number}"))
        finally:
            self._pipe.send(_Counted(1, units))
        self._is_done = self._part.only_one or time.monotonic() >= self._end


def _line(error: Exception) -> str:
    """Returns a failure on one line. What is no ``Failed`` comes with its place."""
    if isinstance(error, Failed):
        return str(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "asyncio" not in f.filename]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({places})"
