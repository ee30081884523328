"""pygls's server, with our session in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from codegemma_lsp import __version__
from codegemma_lsp.document import file_path
from codegemma_lsp.server import conversions
from codegemma_lsp.server.progress import LoadProgress
from codegemma_lsp.server.protocol import Protocol, converter
from codegemma_lsp.session.engine_manager import Status
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import SECTION

log = logging.getLogger(__name__)

STATUS = "didChangeStatus"


class Server(LanguageServer):
    """pygls's server, with our session in it."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "codegemma-lsp", __version__, protocol_cls=Protocol, converter_factory=converter, max_workers=2
        )
        self._loading = LoadProgress(self, self.spawn, "codegemma-load")
        self._chat_loading = LoadProgress(self, self.spawn, "codegemma-load-chat")
        self.session = Session(self._publish_status, self._chat_loading.follow)
        self.startup_problems: tuple[str, ...] = ()
        self._tasks: set[asyncio.Future[Any]] = set()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A message that could not be handled is logged; the editor is not interrupted over it. What was answered with
        a sentence for the user needs no word here."""
        if isinstance(error, JsonRpcException) and error.code == types.LSPErrorCodes.RequestFailed:
            return
        log.error("%s: %s", getattr(source, "__name__", source), type(error).__name__)
        log.debug("details", exc_info=error)

    def spawn(self, work: Awaitable[Any]) -> None:
        """Runs ``work`` beside the handlers; a failure is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed: %s", type(task.exception()).__name__)
            log.debug("details", exc_info=task.exception())

    def show(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))

    def configure(self, raw: Any) -> None:
        """Takes new settings, says what is wrong with them, and loads the model if it is another one."""
        for problem in self.session.configure(raw):
            self.show(f"codegemma: {problem}")
        self.spawn(self.session.load())

    async def pull_configuration(self) -> None:
        """Asks the client for our section, where it can be asked."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        items = [types.ConfigurationItem(section=SECTION)]
        answers = await self.workspace_configuration_async(types.ConfigurationParams(items=items))
        if answers:
            self.configure(answers[0])

    def _publish_status(self, status: Status) -> None:
        told: dict[str, Any] = {"busy": status.busy, "message": status.message, "kind": status.kind}
        if status.loading is not None:
            told["percentage"] = int(100 * status.loading)
        self.protocol.notify(STATUS, told)
        if status.kind == "Error":
            self.show(f"codegemma: {status.message}", types.MessageType.Error)
        self._loading.follow(status)

    def take_folders(self) -> None:
        """Tells the session which folders the workspace has now."""
        self.session.conversations.folders = tuple(file_path(uri) for uri in self.folders() if uri)

    def folders(self) -> list[str]:
        """URIs of the workspace's folders."""
        folders = [folder.uri for folder in self.workspace.folders.values()]
        return folders or [self.workspace.root_uri or ""]

    def shown_path(self, uri: str) -> str:
        """The path of a document as the model sees it."""
        return conversions.display_path(uri, self.folders())


server = Server()
