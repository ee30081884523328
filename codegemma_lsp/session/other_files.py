"""Keeps which pieces of other files each document's prompt shows. They change only while no request waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codegemma_lsp.completion import Query, cursor_in_file
from codegemma_lsp.context import (
    DefinedSymbol,
    Files,
    Piece,
    Selection,
    Source,
    editor_definitions,
    gather,
    name_needed_at,
    piece_tokens,
    symbols_near,
)
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.session.code_index import CodeIndex
from codegemma_lsp.session.editor_definitions import AskEditor, EditorDefinitions
from codegemma_lsp.session.recent_edits import RecentEdits
from codegemma_lsp.settings import OtherFilesFrom, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a document belongs: the files around it, which are below ``root``, its path among them, and the name of
    their folder."""

    files: Files
    root: Path
    path: str
    repository: str


class OtherFiles:
    """The pieces of other files of all documents, on the event loop. A thread gathers them for one document after the
    other.

    ``locate`` tells where a document belongs, or None for a document outside of every folder of the workspace.
    ``sources`` are asked for pieces, and so are the ``edits`` in other documents and, if there is one, the ``index``.
    """

    def __init__(
        self,
        locate: Callable[[Document, Settings], Place | None],
        sources: Sequence[Source],
        edits: RecentEdits,
        index: CodeIndex | None = None,
    ) -> None:
        self._locate, self._sources, self._edits, self._index = locate, tuple(sources), edits, index
        self._chosen: dict[str, Selection] = {}
        self._places: dict[str, Place] = {}
        self._looked_at: dict[str, tuple[str, int, str, int]] = {}
        self._thread = ThreadPoolExecutor(1, "codegemma-context")
        self._editor: EditorDefinitions | None = None

    def ask_editor(self, ask: AskEditor) -> None:
        """From now on, the editor is asked as well what the names at a cursor are."""
        self._editor = EditorDefinitions(ask)

    def shown(self, uri: str) -> Selection:
        """Returns what the prompts of a document must show."""
        return self._chosen.get(uri, Selection())

    def repository(self, uri: str) -> str:
        """Returns the name of the folder that a document belongs to, or "" if no other file of it is shown."""
        place = self._places.get(uri)
        return place.repository if place is not None else ""

    async def look(self, query: Query, engine: Engine, settings: Settings) -> None:
        """Gathers pieces for a cursor, which the document's prompts then show.

        They stay as they are while they have all that is needed here. A second look at the same line costs nothing,
        unless another name is needed there by now, another document was edited, or the editor has answered. The editor
        is waited for a moment only, because what it says may come too late for the next prompt, and this is looked at
        before that is read.
        """
        uri, text = query.document.uri, query.document.text
        line, needed = query.document.line_at(query.offset), name_needed_at(text, query.offset)
        here = (query.path, line, needed, self._edits.last_elsewhere(uri))
        is_known = self._looked_at.get(uri) == here and not (self._editor is not None and self._editor.came_late(uri))
        if settings.other_files is OtherFilesFrom.NOWHERE or is_known:
            return
        place = self._locate(query.document, settings)
        if place is None:
            return
        defined = await self._told_by_editor(query, place)
        sources = [*self._sources, self._edits.source(place.root), editor_definitions(defined, place.root)]
        if self._index is not None:
            sources.append(self._index.source(place.root))
        work = partial(_gathered, query, place, sources, engine, settings)
        found = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._looked_at[uri] = here
        if not found.is_covered_by(self.shown(uri)):
            self._chosen[uri], self._places[uri] = found, place

    async def _told_by_editor(self, query: Query, place: Place) -> tuple[DefinedSymbol, ...]:
        if self._editor is None:
            return ()
        work = partial(symbols_near, query.document, query.offset, place.path)
        symbols = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        return await self._editor.near(query.document, symbols)

    def forget(self, uri: str) -> None:
        """Drops what is kept of a document."""
        for known in (self._chosen, self._places, self._looked_at):
            known.pop(uri, None)
        if self._editor is not None:
            self._editor.forget(uri)

    def forget_all(self) -> None:
        """Drops everything, after a change of the settings or of the workspace's folders."""
        for uri in {*self._chosen, *self._looked_at}:
            self.forget(uri)
        if self._editor is not None:
            self._editor.forget_all()

    def close(self) -> None:
        """Ends the thread and what the editor is asked, and waits for nothing."""
        if self._editor is not None:
            self._editor.forget_all()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _gathered(query: Query, place: Place, sources: Sequence[Source], engine: Engine, settings: Settings) -> Selection:
    cursor = cursor_in_file(query, place.path)

    def cost(piece: Piece) -> int:
        return piece_tokens(piece, engine.tokenizer)

    return gather(cursor, place.files, sources, settings.other_files_tokens, cost)
