"""``scripts/torture``: each of its trials runs here and finds nothing, and what it finds is told."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from scripts.trials.registry import TRIALS
from scripts.trials.runner import Failure, Result, Runner, lanes
from scripts.trials.trial import Case, Failed, LeftOut, Trial

ROOT = Path(__file__).parents[1]


def torture(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.trials", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_minute_and_a_half_of_all_trials_finds_nothing() -> None:
    done = torture("--minutes", "1.5", "--seed", "7")
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"(?m)^(\w+): ([\d,]+) \w+$", done.stdout))
    left_out = dict(re.findall(r"(?m)^(\w+): left out: (.+)$", done.stdout))
    assert {*counts, *left_out} == {trial.name for trial in TRIALS}
    assert min(int(count.replace(",", "")) for count in counts.values()) > 0
    assert int(counts["edits"].replace(",", "")) > 1000


def test_an_unknown_trial_is_named() -> None:
    done = torture("--only", "nonsense")
    assert done.returncode == 2
    assert "There is no trial nonsense" in " ".join(done.stderr.replace("│", " ").split())


@asynccontextmanager
async def _failing(folder: Path) -> AsyncIterator[Case]:
    async def case(chance: Random) -> int:
        drawn = chance.randrange(2**32)
        if drawn % 2:
            raise Failed(f"{drawn} is odd")
        return 3

    yield case


@asynccontextmanager
async def _left_out(folder: Path) -> AsyncIterator[Case]:
    if folder.name:
        raise LeftOut("there is no such thing here")
    yield _never


async def _never(chance: Random) -> int:
    return 0


@asynccontextmanager
async def _ending(folder: Path) -> AsyncIterator[Case]:
    async def case(chance: Random) -> int:
        os._exit(7)

    yield case


@asynccontextmanager
async def _hanging(folder: Path) -> AsyncIterator[Case]:
    async def case(chance: Random) -> int:
        await asyncio.sleep(100)
        return 1

    yield case


OWN = {
    trial.name: trial
    for trial in (
        Trial(name="failing", about="", unit="draws", weight=1, prepared=_failing),
        Trial(name="left_out", about="", unit="draws", weight=1, prepared=_left_out),
        Trial(name="ending", about="", unit="draws", weight=1, prepared=_ending),
        Trial(name="hanging", about="", unit="draws", weight=1, prepared=_hanging, case_s=0.2),
    )
}


def run(name: str, case: int | None = None, seed: str = "1") -> Result:
    (result,) = Runner(OWN.__getitem__, seed, lambda _: None, lambda _: None).run([OWN[name]], 1.0, 1, case)
    return result


def test_a_failure_is_told_and_the_next_case_goes_on_and_its_number_repeats_it() -> None:
    result = run("failing")
    first = result.failures[0]
    assert result.cases > len(result.failures) > 1
    assert result.units == 3 * (result.cases - len(result.failures))
    assert first.reproduced_by("1") == f"scripts/torture --seed 1 --only failing --case {first.case}"
    again = run("failing", first.case)
    assert (again.cases, again.failures) == (1, [first])


def test_another_seed_draws_others() -> None:
    assert run("failing", seed="2").failures != run("failing").failures


def test_what_cannot_run_says_why() -> None:
    result = run("left_out")
    assert (result.left_out, result.failures, result.cases) == ("there is no such thing here", [], 0)


def test_a_process_that_ends_is_a_failure_of_its_case() -> None:
    assert run("ending", 5).failures == [
        Failure("ending", 5, "the trial's process ended before its time (status 7)"),
    ]


def test_a_case_that_takes_too_long_is_a_failure() -> None:
    (failure,) = run("hanging", 0).failures
    assert failure.problem.startswith("TimeoutError")


def test_lanes_have_about_the_same_weight() -> None:
    rows = lanes(TRIALS, 2)
    weights = [sum(trial.weight for trial in row) for row in rows]
    assert sorted(trial.name for row in rows for trial in row) == sorted(trial.name for trial in TRIALS)
    assert max(weights) <= 1.2 * min(weights)
