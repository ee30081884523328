"""The loads that requests wait for: one for each engine, in threads of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from codegemma_lsp.engines.host.door.lending import Lender
from codegemma_lsp.engines.scheduler import ScheduledEngine


@dataclass(eq=False)
class _Load:
    task: asyncio.Task[ScheduledEngine]
    given_up: threading.Event
    waiting: int = field(default=0)


class Loads:
    """Takes engines from a lender. Requests for the same engine await one load, which is given up when all of them
    have left. Only the event loop's thread calls it.

    No load waits for a thread as long as there are at most ``most`` requests, so a slow load delays nobody else.
    """

    def __init__(self, lender: Lender, most: int) -> None:
        self._lender = lender
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="codegemma-load")
        self._loads: dict[tuple[str, bool], _Load] = {}

    @asynccontextmanager
    async def engine(self, name: str, *, chats: bool = False) -> AsyncIterator[ScheduledEngine]:
        """Yields a model's engine. Raises what ``Lender.take`` does."""
        engine = await self._taken(name, chats)
        try:
            yield engine
        finally:
            self._lender.put(engine)

    async def _taken(self, name: str, chats: bool) -> ScheduledEngine:
        """The load is a user of its engine until each request that waits for it is one."""
        load = self._loads.get((name, chats)) or self._begun(name, chats)
        load.waiting += 1
        try:
            engine = await asyncio.shield(load.task)
            self._lender.take_again(engine)
            return engine
        finally:
            load.waiting -= 1
            if not load.waiting:
                del self._loads[name, chats]
                load.given_up.set()
                load.task.add_done_callback(self._put_back)

    def _begun(self, name: str, chats: bool) -> _Load:
        given_up = threading.Event()

        async def load() -> ScheduledEngine:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, lambda: self._lender.take(name, given_up, chats=chats))

        found = self._loads[name, chats] = _Load(asyncio.create_task(load()), given_up)
        return found

    def _put_back(self, task: asyncio.Task[ScheduledEngine]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._lender.put(task.result())
