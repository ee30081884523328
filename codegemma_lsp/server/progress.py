"""How far loading a model is, as ``$/progress``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from codegemma_lsp.session.engine_manager import Status


class LoadProgress:
    """Follows the statuses of one engine: begins with the first that is loading, ends with the first that is not."""

    def __init__(self, server: LanguageServer, spawn: Callable[[Awaitable[Any]], None], name: str) -> None:
        """``spawn`` runs work beside the handlers; ``name`` begins the progress tokens."""
        self._server, self._spawn, self._name = server, spawn, name
        self._count = 0
        self._token: str | None = None
        self._begun = False

    def follow(self, status: Status) -> None:
        if status.loading is None:
            self._end(status.message)
        elif self._token is None:
            self._count += 1
            self._token = f"{self._name}-{self._count}"
            self._spawn(self._begin(self._token, status.message))
        elif self._begun:
            percentage = int(100 * status.loading)
            self._server.work_done_progress.report(self._token, types.WorkDoneProgressReport(percentage=percentage))

    async def _begin(self, token: str, title: str) -> None:
        """Begins once the client has taken the token, unless it refuses, or loading has ended meanwhile."""
        window = self._server.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        progress = self._server.work_done_progress
        try:
            await progress.create_async(token)
        except JsonRpcException:
            return
        if self._token == token:
            self._begun = True
            progress.begin(token, types.WorkDoneProgressBegin(title, percentage=0, cancellable=False))

    def _end(self, message: str) -> None:
        if self._token is not None and self._begun:
            self._server.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=message))
        self._token, self._begun = None, False
