"""Work ahead of requests: the suggestion that follows an accepted one, and the prompts of opened files.

It runs at the lowest priorities, so that the engine interrupts it for every request. What it has prefilled by then
stays in the cache.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from codegemma_lsp.completion import LONG_TEXT, Completer, DocumentState, Query, Suggestion, accepted
from codegemma_lsp.settings import Settings
from codegemma_lsp.text import line_start

log = logging.getLogger(__name__)


class Prefetcher:
    """At most one prefetch for each document, and one warm-up in all, on the event loop.

    The file that was opened last is warmed up. Failures are logged at ``debug``, because a request meets them again.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._targets: dict[str, tuple[str, int]] = {}
        self._warming: tuple[str, asyncio.Task[None]] | None = None

    def prefetch_after(self, query: Query, suggestion: Suggestion, state: DocumentState, completer: Completer) -> None:
        """Prefetches the suggestion that follows this one when it is accepted.

        A running prefetch for the same text continues, and an interrupted one begins again.
        """
        if len(query.document.text) + len(suggestion.text) > LONG_TEXT:
            return
        after, uri = accepted(query, suggestion), query.document.uri
        target = (after.document.text, after.offset)
        if self._targets.get(uri) != target:
            self.stop(uri)
            self._targets[uri] = target
            self._tasks[uri] = asyncio.create_task(self._fetch(after, target, state, completer))

    def warm_up(
        self,
        query: Query,
        state: DocumentState,
        completer: Completer,
        *,
        prefix_only: bool = False,
        prepare: Callable[[Query], Awaitable[Query | None]] | None = None,
    ) -> None:
        """Prefills the prompt for a query, or only its beginning with ``prefix_only``, at a lower priority than
        prefetches.

        ``prepare`` is awaited first. It returns what to prefill instead of the query, or None to prefill nothing.
        """
        uri = query.document.uri
        if self._warming is not None:
            self._warming[1].cancel()
        self._warming = (uri, asyncio.create_task(self._warm(query, state, completer, prefix_only, prepare)))

    @property
    def idle(self) -> bool:
        """Returns whether neither a prefetch nor a warm-up runs."""
        tasks = [*self._tasks.values(), *([self._warming[1]] if self._warming is not None else [])]
        return all(task.done() for task in tasks)

    def stop(self, uri: str) -> None:
        """Ends what runs for a document."""
        self._targets.pop(uri, None)
        if (task := self._tasks.pop(uri, None)) is not None:
            task.cancel()
        if self._warming is not None and self._warming[0] == uri:
            self._warming[1].cancel()
            self._warming = None

    async def _fetch(self, after: Query, target: tuple[str, int], state: DocumentState, completer: Completer) -> None:
        done = False
        try:
            done = await completer.prefetch(after, state)
        except Exception as error:
            log.debug("a prefetch failed", exc_info=error)
        finally:
            if not done and self._targets.get(after.document.uri) == target:
                del self._targets[after.document.uri]

    async def _warm(
        self,
        query: Query,
        state: DocumentState,
        completer: Completer,
        prefix_only: bool,
        prepare: Callable[[Query], Awaitable[Query | None]] | None,
    ) -> None:
        try:
            prepared = await prepare(query) if prepare is not None else query
            if prepared is not None:
                await completer.warm_up(prepared, state, prefix_only=prefix_only)
        except Exception as error:
            log.debug("a warm-up failed", exc_info=error)


def opening_offset(text: str, settings: Settings) -> int:
    """Returns a cursor, in code points, whose window begins at the file's head. A first request near the head shares
    the beginning of that cursor's prompt."""
    most = settings.context_tokens * 3 // 2
    return len(text) if len(text) <= most else line_start(text, most)
