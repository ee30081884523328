"""Runs several models on the same tasks, one after the other, as ``codegemma-lsp eval`` does."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.infilling import report
from codegemma_lsp.benchmarks.infilling.answers import Mode, mode_for
from codegemma_lsp.benchmarks.infilling.reference import EMPTY, ORACLE, ReferenceEngine
from codegemma_lsp.benchmarks.infilling.run import Result, Setup, run, stamp
from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.models.packaged import PACKAGED
from codegemma_lsp.prompt import Layout
from codegemma_lsp.settings import Settings

OnStart: TypeAlias = Callable[[Setup], Callable[[Result], None]]
"""Called with the setup when a run begins. Returns the callback for its results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run to be made.

    ``settings.model`` names the model: a GGUF file, a folder, ``oracle``, ``empty``, or a model in a Python package.
    ``tasks`` are of one split. ``arm`` names what they may see of other files.
    """

    settings: Settings
    tasks: Sequence[Task]
    raw: bool
    arm: str = ""


def pick(tasks: Sequence[Task], limit: int | None, seed: int) -> list[Task]:
    """Returns at most ``limit`` tasks, sampled uniformly with the seed, in their own order."""
    if limit is None or limit >= len(tasks):
        return list(tasks)
    chosen = sorted(random.Random(seed).sample(range(len(tasks)), limit))
    return [tasks[i] for i in chosen]


def carry_out(plans: Sequence[Plan], folder: Path, on_start: OnStart) -> list[dict[str, Any]]:
    """Makes the runs in order and returns their summaries. Results are written to files in ``folder``.

    Raises ``BudgetTooSmall``, ``OSError``, and what engines raise.
    """
    summaries: dict[Setup, dict[str, Any]] = {}
    for plan in plans:
        engine = load(plan)
        try:
            setup = _setup(plan, engine)
            if setup not in summaries:  # a model that cannot infill has the same setup for several layouts
                results = run(setup, plan.tasks, engine, plan.settings, _file(folder, setup), on_start(setup))
                summaries[setup] = {**report.summary(setup, results), "file": str(_file(folder, setup))}
        finally:
            engine.close()
    return list(summaries.values())


def load(plan: Plan) -> Engine:
    """Returns the plan's engine. Raises what ``select_completion`` and ``engines.load`` raise."""
    name = plan.settings.model
    if name in (ORACLE, EMPTY):
        return ReferenceEngine(name, plan.tasks if name == ORACLE else ())
    return engines.load(select_completion(plan.settings).settings)


def _setup(plan: Plan, engine: Engine) -> Setup:
    settings = _in_own_order(plan.settings, engine)
    reference = isinstance(engine, ReferenceEngine)
    mode = mode_for(engine, plan.raw)
    unused = NO_ANSWER | ({"layout", "heal"} if mode is Mode.PREFIX else set())
    return Setup(
        engine=type(engine).__name__.removesuffix("Engine").lower(),
        model=settings.model if settings.model in PACKAGED else engine.name,
        model_stamp="" if reference else stamp(select_completion(settings).choice.path),
        split=plan.tasks[0].split,
        mode=mode,
        layout="" if mode is Mode.PREFIX else settings.layout.value,
        heal=settings.heal and mode is not Mode.PREFIX,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
        arm=plan.arm,
        tasks=len(plan.tasks),
        asked=digest([settings.model_dump(mode="json", exclude=unused), [asdict(task) for task in plan.tasks]]),
    )


def _in_own_order(settings: Settings, engine: Engine) -> Settings:
    """Returns settings with the layout ``psm`` in place of ``spm`` for a family that has only that order."""
    has_order = settings.layout is not Layout.SPM or engine.tokenizer.family.spm
    return settings if has_order else settings.model_copy(update={"layout": Layout.PSM})


NO_ANSWER = {
    "model",
    "allow_plain_http",
    "share_model",
    "threads",
    "batch_threads",
    "slots",
    "batch_tokens",
    "gpu_layers",
    "debounce_ms",
    "popup",
    "report_completions",
}
"""The settings that do not change answers."""


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _file(folder: Path, setup: Setup) -> Path:
    """Returns the file of a run's results. Equal setups have the same file, so that an interrupted run can continue."""
    name = re.sub(r"[^\w.-]", "_", f"{setup.model}-{setup.split}-{setup.mode}")
    return folder / f"{name}-{digest(setup.model_dump(mode='json'))}.jsonl"
