"""One editor's session: its documents and settings, and the owners of everything else that changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from codegemma_lsp.completion import Outcome, Query
from codegemma_lsp.document import Document, Encoding
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import COMPLETION
from codegemma_lsp.session.completions import Completions
from codegemma_lsp.session.configuration import Configuration
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.session.engine_manager import EngineManager, Status
from codegemma_lsp.settings import Settings


@dataclass
class Acceptance:
    """How many suggestions were shown, accepted whole, and accepted in part."""

    shown: int = 0
    accepted: int = 0
    partially_accepted: int = 0


class Session:
    """Runs on the event loop. ``publish`` receives the completion model's changes of status, ``publish_chat`` the chat
    model's."""

    def __init__(
        self, publish: Callable[[Status], None], publish_chat: Callable[[Status], None] = lambda _: None
    ) -> None:
        self.documents: dict[str, Document] = {}
        self.encoding = Encoding.UTF16
        self.acceptance = Acceptance()
        self._configuration = Configuration()
        gate = PriorityGate()
        self.manager = EngineManager(COMPLETION, publish, gate, self._on_loaded)
        self.completions = Completions(self.manager)
        self.conversations = Conversations(lambda: self.settings, lambda: self.documents, publish_chat, gate)

    @property
    def settings(self) -> Settings:
        return self._configuration.settings

    @property
    def asks_instruction(self) -> bool:
        """Whether the client can ask its user for an instruction."""
        return self._configuration.asks_instruction

    def initialize(self, options: object) -> tuple[str, ...]:
        """Takes initialization options. Returns a sentence for each problem."""
        return self._configuration.initialize(options)

    def configure(self, raw: object) -> tuple[str, ...]:
        """Takes settings as the client sends them. Returns a sentence for each problem."""
        before = self.settings
        problems = self._configuration.update(raw)
        if self.settings != before:
            self.completions.forget_answers()
        return problems

    async def load(self) -> None:
        """Loads the model of the current settings, unless it is loaded. Never raises: a failure is a status."""
        await self.manager.load(self.settings)

    def _on_loaded(self) -> None:
        self.completions.on_loaded(self.settings)

    def open(self, document: Document) -> None:
        self.documents[document.uri] = document
        self.completions.open(document)

    def change(self, document: Document) -> None:
        self.documents[document.uri] = document

    def rest(self, query: Query, *, opened: bool = False) -> None:
        """The cursor rests here, or a file was just ``opened`` and its cursor is likely to be near."""
        if query.document is self.documents.get(query.document.uri):
            self.completions.warm_up(query, self.settings, opened=opened)

    def close(self, uri: str) -> None:
        self.documents.pop(uri, None)
        self.completions.close(uri)

    async def complete(self, query: Query, method: str = "") -> Outcome:
        """``Completions.complete`` with the settings in force."""
        return await self.completions.complete(query, self.settings, method)

    def state(self) -> dict[str, Any]:
        """A diagnostic snapshot. Checksums let an editor tell whether its text is the server's."""
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
            },
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
        """Ends what runs and frees the models."""
        self.completions.shut_down()
        await self.conversations.shut_down()
        await self.manager.shut_down()
        self.completions.close_planner()

    def close_now(self) -> None:
        """``shut_down`` for when no event loop runs any more."""
        self.manager.close_now()
        self.conversations.manager.close_now()


def _engine_state(engine: Engine | None) -> dict[str, Any] | None:
    if engine is None:
        return None
    return {"name": engine.name, "threads": engine.threads, "idle": engine.idle, "usage": asdict(engine.usage)}
