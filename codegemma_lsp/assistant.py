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
    Conversations,
    Project,
    Proposal,
    Reference,
    Refused,
    Say,
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
from codegemma_lsp.engines.base import Engine, EngineFailed
from codegemma_lsp.engines.order import Order
from codegemma_lsp.keeper import Keeper, Status
from codegemma_lsp.models import CHAT_SLOTS, DEMO_CHAT, Choice, ModelError, chat_model, completion_model
from codegemma_lsp.settings import Settings


class Assistant:
    """Runs on the event loop. ``publish`` is told how loading goes; ``settings`` and ``documents`` are asked whenever
    they are needed, ``order`` is shared with the completion engine."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        documents: Callable[[], dict[str, Document]],
        publish: Callable[[Status], None] = lambda _: None,
        order: Order | None = None,
    ) -> None:
        self.keeper = Keeper(publish, order)
        self.conversations = Conversations()
        self.folders: tuple[Path, ...] = ()
        self._settings, self._documents = settings, documents
        self._in_use = 0
        self._closed = False
        self._choice: Choice | None = None
        self._letting_go: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def chat(
        self, conversation: Conversation, text: str, references: Sequence[Reference], target: Target | None, say: Say
    ) -> Answer:
        """The answer to a message, which may be a slash command about ``target``. Raises ``Refused`` and
        ``EngineError``."""
        action, rest = parse_command(text)
        with conversation.answering():
            if action is Action.COMMIT:
                answer = await self.commit(say)
                conversation.add("Write a commit message for what is staged.", answer.text)
                return answer
            if action in EDITS:
                target = _needed(target, rest)
                proposal = await self.propose(action, target, say)
                answer = Answer(fenced(proposal.text), proposal)
                about = target.document.text[proposal.region.start : proposal.region.end]
                conversation.add(f"{TITLES[action]}: {rest}\n\n{about}", answer.text)
                return answer
            if action is Action.EXPLAIN:
                target = _needed(target, rest)
                selected = selection_reference(target.document, target.selection, target.path)
                references, rest = [*references, selected], f"{EXPLAIN} {rest}".strip()
            if not rest.strip():
                raise Refused("Ask something: the message is empty.")
            workspace = self.workspace()
            known = list(self._documents().values())
            written = await asyncio.to_thread(written_in, rest, workspace, known)
            async with self._engine() as (engine, settings):
                return await ask(conversation, rest, [*references, *written], engine, settings, say)

    async def propose(self, action: Action, target: Target, say: Say) -> Proposal:
        """Raises ``Refused`` and ``EngineError``."""
        async with self._engine() as (engine, settings):
            return await propose(action, target, self._project(target.document), engine, settings, say)

    async def commit(self, say: Say, folder: Path | None = None) -> Answer:
        """A message for what is staged. Raises ``Refused`` and ``EngineError``."""
        folder = folder or next(iter(self.folders), None)
        if folder is None:
            raise Refused("No folder is open, so there is no repository to look at.")
        async with self._engine() as (engine, settings):
            return await commit_message(folder, engine, settings, say)

    def note(self) -> str:
        """What a user should know of the model that answers; "" for one of their own choice."""
        if self._choice is None or self._choice.model != DEMO_CHAT or not self._choice.better:
            return ""
        return f"This is SmolLM2 135M, {self._choice.why}; {self._choice.better}"

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
                raise Refused(str(error)) from None

        return Project(root, read)

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[tuple[Engine, Settings]]:
        """The chat engine and its settings, loaded where it is not. Raises ``Refused``."""
        if self._closed:
            raise Refused("The server is shutting down.")
        settings = self._settings()
        self._in_use += 1
        if self._letting_go is not None:
            self._letting_go.cancel()
        try:
            self._choice = await asyncio.to_thread(choose, settings)
            chosen = _for_engine(settings, self._choice)
            await self.keeper.load(chosen)
            engine = self.keeper.engine
            if engine is None:
                changed = self.keeper.status.loading is not None
                raise Refused("The chat model is being changed; ask again." if changed else self.keeper.status.message)
            try:
                yield engine, settings
                self.keeper.worked()
            except EngineFailed as error:
                self.keeper.broke(engine, error, chosen)
                raise
        finally:
            self._in_use -= 1
            if not self._in_use and settings.chat_idle_minutes:
                loop = asyncio.get_running_loop()
                self._letting_go = loop.call_later(60 * settings.chat_idle_minutes, self._let_go)

    def _let_go(self) -> None:
        if not self._in_use and self.keeper.engine is not None:
            task = asyncio.create_task(self.keeper.let_go())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def shut_down(self) -> None:
        self._closed = True
        if self._letting_go is not None:
            self._letting_go.cancel()
        await self.keeper.shut_down()


def _needed(target: Target | None, instruction: str) -> Target:
    if target is None:
        raise Refused("This command is about code: select some, or place the cursor in it.")
    return target if not instruction else target.with_instruction(instruction)


def choose(settings: Settings) -> Choice:
    """The chat model that the settings mean on this machine. Raises ``Refused`` where it cannot be found."""
    try:
        completion = completion_model(settings.model, settings.context_tokens, settings.slots).model
    except ModelError:
        completion = settings.model
    try:
        choice = chat_model(settings.chat_model, settings.chat_context_tokens, CHAT_SLOTS, completion)
    except ModelError as error:
        raise Refused(str(error)) from None
    if not choice.path.is_absolute():
        raise Refused(
            f"The setting chatModel is {settings.chat_model!r}; write the whole path of the model, or a name."
        )
    if not _exists(choice.path):
        raise Refused(f"There is no chat model at {choice.path}; correct the setting chatModel.")
    return choice


def engine_settings(settings: Settings) -> Settings:
    """The settings by which the chat engine is loaded. Raises ``Refused`` where no chat model can be found."""
    return _for_engine(settings, choose(settings))


def _for_engine(settings: Settings, choice: Choice) -> Settings:
    changes = {"model": str(choice.path), "context_tokens": settings.chat_context_tokens, "slots": CHAT_SLOTS}
    return settings.model_copy(update=changes)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
