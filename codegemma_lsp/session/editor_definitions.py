"""What an editor's own language servers say of the names near a cursor, asked for ahead of time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from codegemma_lsp.context import DefinedSymbol, DefinitionPlace, Symbol
from codegemma_lsp.document import Document

log = logging.getLogger(__name__)

_PATIENCE_S = 0.2
"""How long a look at other files waits for the editor. An answer that comes later serves the next look."""
_GIVEN_UP_S = 2.0
"""How long an answer is expected."""
_PAUSE_S = 30.0
"""How long an editor is not asked that gave none, or one that makes no sense."""

Places: TypeAlias = tuple[DefinitionPlace, ...]
AskEditor: TypeAlias = Callable[[Document, Sequence[int]], Awaitable[Sequence[Places] | None]]
"""Asks an editor where the names at offsets (code points) of a document are defined. Returns the places for each
offset, or None if the editor's document is another one by now. Raises what goes wrong."""


class EditorDefinitions:
    """Runs on the event loop. At most one request for each document waits for the editor."""

    def __init__(self, ask: AskEditor) -> None:
        self._ask = ask
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._known: dict[str, dict[str, Places]] = {}
        """The latest answer of each document, by name."""
        self._late: set[str] = set()
        """The documents with an answer that no look has used yet."""
        self._not_before = 0.0

    def came_late(self, uri: str) -> bool:
        """Returns whether there is an answer for a document that no look has used yet."""
        return uri in self._late

    async def near(self, document: Document, symbols: Sequence[Symbol]) -> tuple[DefinedSymbol, ...]:
        """Returns where the names are defined, as far as the editor has told. It is asked unless an answer that came
        late has all of them."""
        uri = document.uri
        if not self._has_late_answer(uri, symbols) and uri not in self._asking and not self._is_pausing():
            self._asking[uri] = asyncio.create_task(self._request(document, symbols))
        if (task := self._asking.get(uri)) is not None:
            await asyncio.wait({task}, timeout=_PATIENCE_S)
        self._late.discard(uri)
        known = self._known.get(uri, {})
        return tuple(DefinedSymbol(symbol=one, places=known[one.name]) for one in symbols if one.name in known)

    def _has_late_answer(self, uri: str, symbols: Sequence[Symbol]) -> bool:
        known = self._known.get(uri, {}) if uri in self._late else {}
        return all(symbol.name in known for symbol in symbols)

    def _is_pausing(self) -> bool:
        return asyncio.get_running_loop().time() < self._not_before

    async def _request(self, document: Document, symbols: Sequence[Symbol]) -> None:
        uri = document.uri
        try:
            async with asyncio.timeout(_GIVEN_UP_S):
                answer = await self._ask(document, [symbol.offset for symbol in symbols])
            if answer is not None:
                self._known[uri] = {one.name: places for one, places in zip(symbols, answer, strict=True)}
                self._late.add(uri)
        except Exception as error:
            self._not_before = asyncio.get_running_loop().time() + _PAUSE_S
            log.info("the editor told of no definitions (%s)", type(error).__name__)
            log.debug("details", exc_info=error)
        finally:
            if self._asking.get(uri) is asyncio.current_task():
                del self._asking[uri]

    def forget(self, uri: str) -> None:
        """Drops what is known of a document."""
        if (task := self._asking.pop(uri, None)) is not None:
            task.cancel()
        self._known.pop(uri, None)
        self._late.discard(uri)

    def forget_all(self) -> None:
        """Drops what is known of all documents, and waits for nothing."""
        for uri in {*self._asking, *self._known, *self._late}:
            self.forget(uri)
