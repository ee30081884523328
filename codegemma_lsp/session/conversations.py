"""Chat and edits of one editor's session: the chat model, which is loaded on first use, and the conversations."""

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
    ChatContext,
    Conversation,
    ConversationStore,
    OnDelta,
    Project,
    Proposal,
    Reference,
    RequestRefused,
    Target,
    around_reference,
    ask,
    commit_message,
    fenced,
    parse_command,
    propose,
    written_in,
)
from codegemma_lsp.context import NotAllowed, Workspace
from codegemma_lsp.document import Document, file_path
from codegemma_lsp.engines.selection import CHAT
from codegemma_lsp.models import DEMO_CHAT
from codegemma_lsp.models.choice import is_instruct
from codegemma_lsp.session.engine_manager import EngineManager, LoadEngine, Status
from codegemma_lsp.settings import Settings


class Conversations:
    """The conversations and the chat engine, on the event loop.

    ``publish`` receives each change of the engine's status. ``settings`` and ``documents`` are called whenever they are
    needed, and ``load`` loads the engine.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        documents: Callable[[], dict[str, Document]],
        publish: Callable[[Status], None] = lambda _: None,
        load: LoadEngine | None = None,
    ) -> None:
        self.manager = EngineManager(CHAT, publish, load)
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
        """Returns the answer to a message, which may be a slash command about ``target``. Raises ``RequestRefused`` and
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
                answer = Answer(text=_shown(proposal), proposal=proposal)
                about = target.document.text[proposal.region.start : proposal.region.end]
                conversation.add(f"{TITLES[action]}: {rest}\n\n{about}", answer.text)
                return answer
            if action is Action.EXPLAIN:
                target = _needed(target, rest)
                selected = await asyncio.to_thread(around_reference, target.document, target.selection, target.path)
                references, rest = [*references, selected], f"{EXPLAIN} {rest}".strip()
            if not rest.strip():
                raise RequestRefused("Ask something: the message is empty.")
            workspace = self.workspace()
            known = list(self._documents().values())
            written = await asyncio.to_thread(written_in, rest, workspace, known)
            async with self._answering(on_delta) as chat:
                return await ask(chat, conversation, rest, [*references, *written])

    async def propose(self, action: Action, target: Target, on_delta: OnDelta) -> Proposal:
        """Returns a proposed edit. Raises ``RequestRefused`` and ``EngineError``."""
        async with self._answering(on_delta) as chat:
            return await propose(chat, action, target, self._project(target.document))

    async def commit(self, on_delta: OnDelta, folder: Path | None = None) -> Answer:
        """Returns a commit message for the staged changes. Raises ``RequestRefused`` and ``EngineError``."""
        folder = folder or next(iter(self.folders), None)
        if folder is None:
            raise RequestRefused("No folder is open, so there is no repository to look at.")
        async with self._answering(on_delta) as chat:
            return await commit_message(chat, folder)

    def note(self) -> str:
        """Returns what a user should know about the model that answers, or "" for a model that the user has chosen."""
        choice = self.manager.choice
        if choice is None or choice.model != DEMO_CHAT or not choice.better:
            return ""
        return f"This is SmolLM2 135M, {choice.why}; {choice.better}"

    def workspace(self) -> Workspace:
        opened = {file_path(uri): document for uri, document in self._documents().items()}
        return Workspace(self.folders, lambda path: opened.get(path))

    def root_of(self, document: Document) -> Path:
        """Returns the folder of the workspace that has a document, or else the document's own folder."""
        file = file_path(document.uri)
        return next((folder for folder in self.folders if file.is_relative_to(folder)), file.parent)

    def _project(self, document: Document) -> Project:
        root = self.root_of(document)
        workspace = replace(self.workspace(), folders=(root,))

        def read(path: Path) -> Document | None:
            try:
                workspace.allowed(path)
                return workspace.opened(path) or (workspace.read(path) if path.exists() else None)
            except NotAllowed as error:
                raise RequestRefused(str(error)) from None

        return Project(root, read)

    @asynccontextmanager
    async def _answering(self, on_delta: OnDelta) -> AsyncIterator[ChatContext]:
        """Yields the chat engine with the settings in force, and loads it first if necessary.

        Raises ``EngineUnavailable``, and ``RequestRefused`` for a model that has no chat template and no name of an
        instruct model.
        """
        settings = self._settings()
        async with self.manager.lease(settings, settings.chat_idle_minutes) as engine:
            choice = self.manager.choice
            if not engine.chat_template and not (choice is not None and is_instruct(choice.model)):
                raise RequestRefused(
                    f"{engine.name} is no chat model (its file has no chat template); set chatModel to an instruct"
                    " model, or to auto."
                )
            yield ChatContext(engine=engine, settings=settings, on_delta=on_delta)

    async def shut_down(self) -> None:
        await self.manager.shut_down()


def _needed(target: Target | None, instruction: str) -> Target:
    if target is None:
        raise RequestRefused("This command is about code: select some, or place the cursor in it.")
    return target if not instruction else target.with_instruction(instruction)


def _shown(proposal: Proposal) -> str:
    """Returns the new code as Markdown, with the imports that are added elsewhere first."""
    blocks = [proposal.text] if proposal.imports is None else [proposal.imports.text.strip(), proposal.text]
    return "\n\n".join(map(fenced, blocks))
