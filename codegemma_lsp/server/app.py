"""The pygls server that owns a session."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Sequence
from typing import Any, NoReturn

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from codegemma_lsp import __version__, engines
from codegemma_lsp.context import DefinitionPlace
from codegemma_lsp.document import Document, display_path, file_path
from codegemma_lsp.engines.host.client import shared_or_own
from codegemma_lsp.engines.whereabouts import Whereabouts
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.server.definitions import ask_definitions
from codegemma_lsp.server.errors import LONGEST_MESSAGE
from codegemma_lsp.server.growth import GrowthNotifier
from codegemma_lsp.server.progress import LoadProgress
from codegemma_lsp.server.protocol import Protocol, converter
from codegemma_lsp.session.code_index import CodeIndex
from codegemma_lsp.session.engine_manager import Status
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import SECTION
from codegemma_lsp.text import shortened

log = logging.getLogger(__name__)

STATUS = "didChangeStatus"


def leave(code: int) -> NoReturn:
    """Exits without the interpreter's clean-up, which is a fatal error while a thread holds the lock of stdin, and
    waits for threads that run llama.cpp."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


class Server(LanguageServer):
    """The pygls server that owns a session."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "codegemma-lsp", __version__, protocol_cls=Protocol, converter_factory=converter, max_workers=2
        )
        self._loading = LoadProgress(self, self.spawn, "codegemma-load")
        self._chat_loading = LoadProgress(self, self.spawn, "codegemma-load-chat")
        growth = GrowthNotifier(self.protocol.notify)
        self.protocol.on_inline_completion_sent = growth.answered
        self._own, self._shared = own, shared = EngineProcess(), EngineProcess(shared_or_own)
        self.session = Session(
            self._publish_status,
            self._chat_loading.follow,
            growth.grew,
            self._definitions,
            lambda settings, on_progress, on_failure: engines.load(
                settings, on_progress, process=shared if settings.share_model else own, on_failure=on_failure
            ),
            CodeIndex(),
        )
        self.startup_problems: tuple[str, ...] = ()
        self._tasks: set[asyncio.Future[Any]] = set()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Logs a message that could not be handled, without interrupting the editor. Errors that were answered with a
        sentence for the user are not logged."""
        if isinstance(error, JsonRpcException) and error.code == types.LSPErrorCodes.RequestFailed:
            return
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
            log.error("a message is no JSON (%s); it is ignored", error)
            self.protocol.refuse(None, types.ErrorCodes.ParseError, f"The message is no JSON ({error}).")
            return
        log.error("%s: %s", getattr(source, "__name__", source), type(error).__name__)
        log.debug("details", exc_info=error)

    def spawn(self, work: Awaitable[Any]) -> None:
        """Runs ``work`` beside the handlers. A failure is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed: %s", type(task.exception()).__name__)
            log.debug("details", exc_info=task.exception())

    def leave_without_editor(self) -> NoReturn:
        """Ends the server whose editor has ended. Any thread may call it."""
        log.error("the editor has ended without saying so; the server leaves")
        self.session.close_now()
        leave(1)

    def show(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=shortened(message, LONGEST_MESSAGE)))

    def configure(self, raw: Any) -> None:
        """Takes new settings, shows their problems, and loads the model if it has changed."""
        self._take_settings(self.session.configure(raw))

    def read_settings_again(self) -> None:
        """Does what ``configure`` does after the user's file has changed."""
        self._take_settings(self.session.read_settings_again())

    def _take_settings(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            self.show(f"codegemma: {problem}")
        self.spawn(self.session.load())

    async def pull_configuration(self) -> None:
        """Asks the client for the settings section, if it supports that."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        items = [types.ConfigurationItem(section=SECTION)]
        answers = await self.workspace_configuration_async(types.ConfigurationParams(items=items))
        if answers:
            self.configure(answers[0])

    def _publish_status(self, status: Status) -> None:
        message = shortened(status.message, LONGEST_MESSAGE)
        told: dict[str, Any] = {"busy": status.busy, "message": message, "kind": status.kind}
        if status.loading is not None:
            told["percentage"] = int(100 * status.loading)
        self.protocol.notify(STATUS, told)
        if status.kind == "Error":
            self.show(f"codegemma: {status.message}", types.MessageType.Error)
        self._loading.follow(status)

    async def _definitions(
        self, document: Document, offsets: Sequence[int]
    ) -> list[tuple[DefinitionPlace, ...]] | None:
        return await ask_definitions(self.protocol, document, offsets, self.session.encoding)

    def whereabouts(self) -> Whereabouts | None:
        """Returns where the engines run, or None if none is loaded in a process. It may block. While the setting
        changes, both processes may be there for a moment; the one that is asked for counts."""
        wanted = self._shared if self.session.settings.share_model else self._own
        return wanted.whereabouts() or self._shared.whereabouts() or self._own.whereabouts()

    def take_folders(self) -> None:
        """Tells the session which folders the workspace has now."""
        self.session.take_folders(tuple(file_path(uri) for uri in self.folders() if uri))

    def folders(self) -> list[str]:
        """Returns the URIs of the workspace's folders."""
        folders = [folder.uri for folder in self.workspace.folders.values()]
        return folders or [self.workspace.root_uri or ""]

    def shown_path(self, uri: str) -> str:
        """Returns the path of a document as the model sees it."""
        return display_path(file_path(uri), map(file_path, self.folders()))


server = Server()
