"""The command behind ``scripts/torture``."""

from __future__ import annotations

import os
import sys
import time
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from scripts.trials.registry import TRIALS, find
from scripts.trials.runner import Failure, Result, Runner

_WIDTH = 120
_CONSOLE = Console(highlight=False, soft_wrap=True)


def main(
    minutes: Annotated[float, typer.Option(min=0.01, help="How long all trials together take, about.")] = 2.0,
    seed: Annotated[str, typer.Option(help="What the cases are drawn from.")] = "1",
    only: Annotated[list[str] | None, typer.Option(help="A trial to run; may be repeated. The default is all.")] = None,
    case: Annotated[int | None, typer.Option(min=0, help="Run this case of the trials alone.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many trials run side by side.")] = min(2, os.cpu_count() or 1),
) -> None:
    """Attack the server at random, and show what failed. The exit code is 1 if anything did."""
    if unknown := set(only or []) - {trial.name for trial in TRIALS}:
        known = ", ".join(trial.name for trial in TRIALS)
        raise typer.BadParameter(f"There is no trial {', '.join(sorted(unknown))}; there are {known}.")
    trials = [trial for trial in TRIALS if not only or trial.name in only]
    began = time.monotonic()
    runner = Runner(find, seed, lambda failure: _tell(failure, seed), _tell_end)
    results = runner.run(trials, 60 * minutes, jobs, case)
    _CONSOLE.print()
    Console(width=_WIDTH).print(_table(results))
    failures = sum(len(result.failures) for result in results)
    _CONSOLE.print(f"{failures:,} failures in {(time.monotonic() - began) / 60:.1f} minutes, seed {seed}", markup=False)
    sys.exit(1 if failures else 0)


def _tell(failure: Failure, seed: str) -> None:
    _CONSOLE.print(f"FAILED {failure.trial}: {failure.problem}", markup=False)
    _CONSOLE.print(f"    {failure.reproduced_by(seed)}", markup=False)


def _tell_end(result: Result) -> None:
    outcome = f"left out: {result.left_out}" if result.left_out else f"{result.units:,} {result.trial.unit}"
    _CONSOLE.print(f"{result.trial.name}: {outcome}", markup=False)


def _table(results: list[Result]) -> Table:
    table = Table("trial", "what it tries", box=box.ASCII2)
    for title in ("cases", "checked", "failures", "seconds"):
        table.add_column(title, justify="right")
    for result in results:
        counted = "left out" if result.left_out else f"{result.units:,} {result.trial.unit}"
        about = f"left out: {result.left_out}" if result.left_out else result.trial.about
        table.add_row(
            result.trial.name,
            about,
            f"{result.cases:,}",
            counted,
            str(len(result.failures)),
            f"{result.seconds:.0f}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
