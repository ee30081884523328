"""Work done before it is asked for: what follows an accepted suggestion, and prompts of files that are looked at.

It runs at the lowest priorities, so the engine drops it for any real request; what it has read by then stays read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import Any

from codegemma_lsp.completion import Memory, Query, Suggestion, accepted, prefetch, warm_up
from codegemma_lsp.engines.base import Engine
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_LONG_TEXT = 500_000
"""Of longer texts only one suggestion is kept in hand, and that is the one on the screen."""


class LookAhead:
    """At most one piece of such work for each document. Runs on the event loop; failures are logged at ``debug``: a
    real request meets them again."""

    def __init__(self, planner: Executor) -> None:
        self._planner = planner
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._targets: dict[str, tuple[str, int]] = {}

    def follow(self, query: Query, suggestion: Suggestion, memory: Memory, engine: Engine, settings: Settings) -> None:
        """Has the next suggestion ready for when this one is accepted; keeps at it while it is typed."""
        if len(query.document.text) > _LONG_TEXT:
            return
        after, uri = accepted(query, suggestion), query.document.uri
        target = (after.document.text, after.offset)
        if self._targets.get(uri) != target:
            self._targets[uri] = target
            self._start(uri, prefetch(query, suggestion, memory, engine, settings, self._planner))

    def warm(self, query: Query, memory: Memory, engine: Engine, settings: Settings) -> None:
        self._start(query.document.uri, warm_up(query, memory, engine, settings, self._planner))

    def stop(self, uri: str) -> None:
        self._targets.pop(uri, None)
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()

    def _start(self, uri: str, work: Coroutine[Any, Any, Any]) -> None:
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()
        self._tasks[uri] = asyncio.create_task(_quietly(work))


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except Exception as error:
        log.debug("work ahead failed", exc_info=error)


def opening_offset(text: str, settings: Settings) -> int:
    """A cursor whose window begins at the file's head, as that of any cursor near it does: the start of what a first
    request in a file of that size has in common with it. Code points."""
    most = settings.context_tokens * 3 // 2
    return len(text) if len(text) <= most else text.rfind("\n", 0, most) + 1
