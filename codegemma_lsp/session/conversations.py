"""Chat and edits of one editor's session: the chat model, loaded when it is first needed, and the conversations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from codegemma_lsp.chat import (
    EDITS,
    EXPLAIN,
    TITLES,
    Action,
    Answer,
    Conversation,
    ConversationStore,
    OnDelta,
    Project,
    Proposal,
    Reference,
    RequestRefused,
    Target,
    ask,
    commit_message,
    fenced,
    parse_command,
    propose,
    selection_reference,
    written_in,
)
from codegemma_lsp.context import NotAllowed, Workspace
from codegemma_lsp.document import Document, file_path
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import CHAT
from codegemma_lsp.models import DEMO_CHAT
from codegemma_lsp.session.engine_manager import EngineManager, Status
from codegemma_lsp.settings import Settings


class Conversations:
    """Runs on the event loop. ``publish`` is told how loading goes; ``settings`` and ``documents`` are asked whenever
    they are needed, ``gate`` is shared with the completion engine."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        documents: Callable[[], dict[str, Document]],
        publish: Callable[[Status], None] = lambda _: None,
        gate: PriorityGate | None = None,
    ) -> None:
        self.manager = EngineManager(CHAT, publish, gate)
        self.store = ConversationStore()
        self.folders: tuple[Path, ...] = ()
        self._settings, self._documents = settings, documents

    async def chat(
        self,
        conversation: Conversation,
        text: str,
        references: Sequence[Reference],
        target: Target | None,
        on_delta: OnDelta,
    ) -> Answer:
        """The answer to a message, which may be a slash command about ``target``. Raises ``RequestRefused`` and
        ``EngineError``."""
        action, rest = parse_command(text)
        with conversation.answering():
            if action is Action.COMMIT:
                answer = await self.commit(on_delta)
                conversation.add("Write a commit message for what is staged.", answer.text)
                return answer
            if action in EDITS:
                target = _needed(target, rest)
                proposal = await self.propose(action, target, on_delta)
                answer = Answer(fenced(proposal.text), proposal)
                about = target.document.text[proposal.region.start : proposal.region.end]
                conversation.add(f"{TITLES[action]}: {rest}\n\n{about}", answer.text)
                return answer
            if action is Action.EXPLAIN:
                target = _needed(target, rest)
                selected = selection_reference(target.document, target.selection, target.path)
                references, rest = [*references, selected], f"{EXPLAIN} {rest}".strip()
            if not rest.strip():
                raise RequestRefused("Ask something: the message is empty.")
            workspace = self.workspace()
            known = list(self._documents().values())
            written = await asyncio.to_thread(written_in, rest, workspace, known)
            async with self._engine() as (engine, settings):
                return await ask(conversation, rest, [*references, *written], engine, settings, on_delta)

    async def propose(self, action: Action, target: Target, on_delta: OnDelta) -> Proposal:
        """Raises ``RequestRefused`` and ``EngineError``."""
        async with self._engine() as (engine, settings):
            return await propose(action, target, self._project(target.document), engine, settings, on_delta)

    async def commit(self, on_delta: OnDelta, folder: Path | None = None) -> Answer:
        """A message for what is staged. Raises ``RequestRefused`` and ``EngineError``."""
        folder = folder or next(iter(self.folders), None)
        if folder is None:
            raise RequestRefused("No folder is open, so there is no repository to look at.")
        async with self._engine() as (engine, settings):
            return await commit_message(folder, engine, settings, on_delta)

    def note(self) -> str:
        """What a user should know of the model that answers; "" for one of their own choice."""
        choice = self.manager.choice
        if choice is None or choice.model != DEMO_CHAT or not choice.better:
            return ""
        return f"This is SmolLM2 135M, {choice.why}; {choice.better}"

    def workspace(self) -> Workspace:
        opened = {file_path(uri): document for uri, document in self._documents().items()}
        return Workspace(self.folders, lambda path: opened.get(path))

    def _project(self, document: Document) -> Project:
        file = file_path(document.uri)
        root = next((folder for folder in self.folders if file.is_relative_to(folder)), file.parent)
        workspace = replace(self.workspace(), folders=(root,))

        def read(path: Path) -> Document | None:
            try:
                workspace.allowed(path)
                return workspace.opened(path) or (workspace.read(path) if path.exists() else None)
            except NotAllowed as error:
                raise RequestRefused(str(error)) from None

        return Project(root, read)

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[tuple[Engine, Settings]]:
        """The chat engine and the settings in force, loaded first where it is not. Raises ``EngineUnavailable``."""
        settings = self._settings()
        async with self.manager.lease(settings, settings.chat_idle_minutes) as engine:
            yield engine, settings

    async def shut_down(self) -> None:
        await self.manager.shut_down()


def _needed(target: Target | None, instruction: str) -> Target:
    if target is None:
        raise RequestRefused("This command is about code: select some, or place the cursor in it.")
    return target if not instruction else target.with_instruction(instruction)
