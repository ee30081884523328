"""One editor's session: its documents and settings, and the owners of all its other state."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.completion import Outcome, Query
from codegemma_lsp.context import SOURCES, DiskFiles, masked
from codegemma_lsp.document import Change, Document, Encoding, file_path
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import COMPLETION
from codegemma_lsp.session.code_index import CodeIndex
from codegemma_lsp.session.completions import Completions, OnGrowth
from codegemma_lsp.session.configuration import Configuration
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.session.downloads import Downloads
from codegemma_lsp.session.editor_definitions import AskEditor
from codegemma_lsp.session.engine_manager import EngineManager, LoadEngine, Status
from codegemma_lsp.session.moments import Offered
from codegemma_lsp.session.other_files import OtherFiles, Place
from codegemma_lsp.session.recent_edits import RecentEdits
from codegemma_lsp.session.usage import Usage
from codegemma_lsp.settings import OtherFilesFrom, Settings
from codegemma_lsp.settings.adapters import with_adapter
from codegemma_lsp.usage import Store, state_folder


@dataclass
class Acceptance:
    """The numbers of suggestions that were shown, accepted whole, accepted in part, and dismissed."""

    shown: int = 0
    accepted: int = 0
    partially_accepted: int = 0
    dismissed: int = 0


class Session:
    """The state of one editor's session, on the event loop.

    ``publish`` receives each change of the completion model's status, and ``publish_chat`` each change of the chat
    model's. ``on_growth`` receives suggestions that grow, if the client can draw them, and ``ask_editor`` asks the
    client for definitions, if it can find them. ``load`` loads both models; by default, they are in this process.
    Without an ``index``, similar code is not looked for.
    """

    def __init__(
        self,
        publish: Callable[[Status], None],
        publish_chat: Callable[[Status], None] = lambda _: None,
        on_growth: OnGrowth = lambda _: None,
        ask_editor: AskEditor | None = None,
        load: LoadEngine | None = None,
        index: CodeIndex | None = None,
    ) -> None:
        self._on_growth, self._ask_editor = on_growth, ask_editor
        self.documents: dict[str, Document] = {}
        self.encoding = Encoding.UTF16
        self.acceptance = Acceptance()
        self._configuration = Configuration()
        load = load or _in_this_process()
        self.manager = EngineManager(COMPLETION, publish, load, self._on_loaded)
        self._recent_edits = RecentEdits()
        self._index = index
        other_files = OtherFiles(self._place_of, SOURCES, self._recent_edits, index)
        self.completions = Completions(self.manager, other_files)
        self.conversations = Conversations(lambda: self.settings, lambda: self.documents, publish_chat, load)
        self.downloads = Downloads()
        self.usage = Usage(Store(state_folder()), self.documents, lambda: self.settings.usage, self._model_name)

    def _place_of(self, document: Document, settings: Settings) -> Place | None:
        """Returns where a document belongs: the innermost workspace folder that contains it, or None."""
        if not document.uri.startswith("file:"):
            return None
        file, workspace = file_path(document.uri), self.conversations.workspace()
        around = [folder for folder in workspace.folders if file.is_relative_to(folder)]
        if not around:
            return None
        root = max(around, key=lambda folder: len(folder.parts))
        has_packages = settings.other_files is OtherFilesFrom.ALL
        files = DiskFiles(root=root, workspace=workspace, packages=has_packages, excluded=settings.other_files_exclude)
        return Place(files=files, root=root, path=file.relative_to(root).as_posix(), repository=root.name)

    def take_folders(self, folders: tuple[Path, ...]) -> None:
        """Replaces the folders of the workspace."""
        self.conversations.folders = folders
        self.completions.other_files.forget_all()
        self._recent_edits.forget_all()

    @property
    def settings(self) -> Settings:
        return self._configuration.settings

    @property
    def asks_instruction(self) -> bool:
        """Returns whether the client can ask its user for an instruction."""
        return self._configuration.asks_instruction

    def trust_client(self) -> None:
        """Takes all settings from the client, which vouches that none comes from a workspace."""
        self._configuration.trusts_client = True

    def initialize(self, options: object) -> tuple[str, ...]:
        """Takes initialization options. Returns a sentence for each problem."""
        problems = self._configuration.initialize(options)
        if self._configuration.grows_suggestions:
            self.completions.show_growth(self._on_growth)
        if self._configuration.finds_definitions and self._ask_editor is not None:
            self.completions.other_files.ask_editor(self._ask_editor)
        return problems

    def configure(self, raw: object) -> tuple[str, ...]:
        """Takes settings in the client's form. Returns a sentence for each problem."""
        before = self.settings
        problems = self._configuration.update(raw)
        self._forget_unless(before)
        return problems

    def read_settings_again(self) -> tuple[str, ...]:
        """Reads the user's settings file again. Returns a sentence for each problem."""
        before = self.settings
        problems = self._configuration.read_again()
        self._forget_unless(before)
        return problems

    def _forget_unless(self, settings: Settings) -> None:
        """Forgets cached answers and edits unless these are still the settings."""
        if self.settings != settings:
            self.completions.forget_answers()
            self._recent_edits.forget_all()

    async def load(self) -> None:
        """Loads the model of the current settings, unless it is loaded. Never raises: a failure becomes a status."""
        # The first plan would otherwise wait for the library that finds secrets.
        settings = with_adapter(self.settings, self.conversations.folders)
        await asyncio.gather(self.manager.load(settings), asyncio.to_thread(masked, "a first line"))

    def _on_loaded(self) -> None:
        self.completions.on_loaded(self.settings)

    def open(self, document: Document) -> None:
        self.documents[document.uri] = document
        self.completions.open(document)

    def change(self, document: Document, changes: Sequence[Change] = ()) -> None:
        """A document has become this one by ``changes``, in their order."""
        self.documents[document.uri] = document
        if self.settings.other_files is not OtherFilesFrom.NOWHERE:
            self._recent_edits.record(document, changes)
        self.usage.changed(document, changes)
        self.completions.change(document, changes)

    def rest(self, query: Query, *, opened: bool = False) -> None:
        """Prepares for a request at a cursor that rests. ``opened`` means that a file was just opened, so that its
        cursor is not known."""
        if query.document is self.documents.get(query.document.uri):
            self.completions.warm_up(query, self.settings, opened=opened)

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)
        self.usage.close(uri)
        self.completions.close(uri)

    def files_changed(self, files: Sequence[Path]) -> None:
        """Files have been written or deleted, by the editor or by somebody else."""
        if self._index is None:
            return
        workspace = self.conversations.workspace()
        for folder in workspace.folders:
            paths = [file.relative_to(folder).as_posix() for file in files if file.is_relative_to(folder)]
            if paths:
                self._index.changed(DiskFiles(root=folder, workspace=workspace, packages=False), paths)

    async def complete(self, query: Query, method: str = "") -> Outcome:
        """Completes as ``Completions.complete`` does, with the settings in force."""
        outcome = await self.completions.complete(query, self.settings, method)
        self.usage.completed(query, outcome)
        return outcome

    def _model_name(self) -> str:
        engine = self.manager.engine
        return engine.name if engine is not None else ""

    def accept(self, item: str) -> None:
        """Notes that the suggestion with this id was accepted whole."""
        self.acceptance.accepted += 1
        self.completions.moments.accept(item)
        if (found := self._offered(item)) is not None:
            self.usage.accepted(*found)

    def accept_partially(self, item: str, units: int) -> None:
        """Notes that the first ``units`` UTF-16 units of a suggestion's text were accepted."""
        self.acceptance.partially_accepted += 1
        if (found := self._offered(item)) is not None:
            self.usage.partially_accepted(*found, units)

    def _offered(self, item: str) -> tuple[Offered, Document] | None:
        """Returns the suggestion with this id, and its document as it is now."""
        offered = self.completions.moments.offered(item)
        document = self.documents.get(offered.query.document.uri) if offered is not None else None
        return (offered, document) if offered is not None and document is not None else None

    def dismiss(self, item: str) -> None:
        """Notes that the user does not want the suggestion with this id, which is not shown again at its place."""
        self.acceptance.dismissed += 1
        if (found := self._offered(item)) is not None:
            self.usage.rejected(found[0])
        self.completions.dismiss(item)

    def state(self) -> dict[str, Any]:
        """Returns a diagnostic snapshot. With the checksums, an editor can check that its text is the server's."""
        status, engine, chat = self.manager.status, self.manager.engine, self.conversations.manager.engine
        return {
            "status": {"message": status.message, "kind": status.kind, "busy": status.busy},
            "process": os.getpid(),
            "engine": _engine_state(engine),
            "chat": _engine_state(chat),
            "counts": {
                "shown": self.acceptance.shown,
                "accepted": self.acceptance.accepted,
                "partiallyAccepted": self.acceptance.partially_accepted,
                "dismissed": self.acceptance.dismissed,
            },
            "settled": self.completions.prefetcher.idle,
            "documents": [
                {
                    "uri": document.uri,
                    "version": document.version,
                    "sha256": hashlib.sha256(document.text.encode()).hexdigest(),
                }
                for document in self.documents.values()
            ],
        }

    async def shut_down(self) -> None:
        """Ends what runs, and frees the models."""
        self.completions.shut_down()
        if self._index is not None:
            await self._index.shut_down()
        await self.usage.shut_down()
        await self.downloads.shut_down()
        await self.conversations.shut_down()
        await self.manager.shut_down()
        self.completions.close_planner()

    def close_now(self) -> None:
        """Does what ``shut_down`` does when no event loop runs any more."""
        if self._index is not None:
            self._index.close_now()
        self.usage.close_now()
        self.downloads.close_now()
        self.manager.close_now()
        self.conversations.manager.close_now()


def _in_this_process() -> LoadEngine:
    gate = PriorityGate()
    return lambda settings, on_progress, _: engines.load(settings, on_progress, gate=gate)


def _engine_state(engine: Engine | None) -> dict[str, Any] | None:
    if engine is None:
        return None
    return {"name": engine.name, "threads": engine.threads, "idle": engine.idle, "usage": asdict(engine.usage)}
