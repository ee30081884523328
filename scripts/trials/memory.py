"""Little memory: models are loaded and asked while the engines' process may take only a little more."""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import psutil

from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.models import BUNDLED, model_path
from scripts.trials.models import Keeper, check_model
from scripts.trials.trial import Case, LeftOut, Trial

_MOST_MORE = 200_000_000
"""The most bytes of address space that the process may take beyond what it has. Nano needs about half of them."""


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    if sys.platform != "linux":
        raise LeftOut("only Linux limits the memory of another process")
    process = EngineProcess()
    keeper = Keeper(process)
    await keeper.answers("before any")

    async def case(chance: random.Random) -> int:
        more = chance.randrange(_MOST_MORE)
        with _little_memory(process, more):
            await check_model(process, model_path(BUNDLED), f"{more:,} bytes more")
        await keeper.answers(f"after {more:,} bytes more")
        return 1

    try:
        yield case
    finally:
        keeper.close()


@contextmanager
def _little_memory(process: EngineProcess, more: int) -> Iterator[None]:
    """Limits the process that runs now, and not the one that follows it."""
    import resource

    child = psutil.Process(process.id)
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(child.pid, resource.RLIMIT_AS, (child.memory_info().vms + more, unlimited))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(child.pid, resource.RLIMIT_AS, (unlimited, unlimited))


TRIAL = Trial(
    name="memory",
    about="models with little memory: the same",
    unit="loads",
    weight=14,
    prepared=_prepared,
    case_s=240,
)
