"""Work done before it is asked for: what follows an accepted suggestion, and prompts of files that are looked at.

It runs at the lowest priorities, so the engine drops it for any real request; what it has read by then stays read.
"""

from __future__ import annotations

import asyncio
import logging

from codegemma_lsp.completion import LONG_TEXT, Completer, DocumentState, Query, Suggestion, accepted
from codegemma_lsp.settings import Settings
from codegemma_lsp.text import line_start

log = logging.getLogger(__name__)


class Prefetcher:
    """At most one prefetch for each document, and one warm-up in all: the file that was opened last is the one that is
    looked at. Runs on the event loop; failures are logged at ``debug``: a real request meets them again."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._targets: dict[str, tuple[str, int]] = {}
        self._warming: tuple[str, asyncio.Task[None]] | None = None

    def prefetch_after(self, query: Query, suggestion: Suggestion, state: DocumentState, completer: Completer) -> None:
        """Has the next suggestion ready for when this one is accepted; keeps at it while it is typed, and begins again
        where it had to give way."""
        if len(query.document.text) + len(suggestion.text) > LONG_TEXT:
            return
        after, uri = accepted(query, suggestion), query.document.uri
        target = (after.document.text, after.offset)
        if self._targets.get(uri) != target:
            self.stop(uri)
            self._targets[uri] = target
            self._tasks[uri] = asyncio.create_task(self._fetch(after, target, state, completer))

    def warm_up(self, query: Query, state: DocumentState, completer: Completer, *, prefix_only: bool = False) -> None:
        """Reads the prompt for a query, or its beginning, unless the document is at work already."""
        uri = query.document.uri
        if (task := self._tasks.get(uri)) is not None and not task.done():
            return
        if self._warming is not None:
            self._warming[1].cancel()
        self._warming = (uri, asyncio.create_task(self._warm(query, state, completer, prefix_only)))

    @property
    def idle(self) -> bool:
        """Whether nothing runs ahead."""
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

    async def _warm(self, query: Query, state: DocumentState, completer: Completer, prefix_only: bool) -> None:
        try:
            await completer.warm_up(query, state, prefix_only=prefix_only)
        except Exception as error:
            log.debug("a warm-up failed", exc_info=error)


def opening_offset(text: str, settings: Settings) -> int:
    """A cursor whose window begins at the file's head, as that of any cursor near it does: the start of what a first
    request in a file of that size has in common with it. Code points."""
    most = settings.context_tokens * 3 // 2
    return len(text) if len(text) <= most else line_start(text, most)
