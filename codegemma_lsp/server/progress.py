"""Reports the progress of loading or downloading a model as ``$/progress``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from codegemma_lsp.models.download.part import OnProgress, Progress
from codegemma_lsp.session.engine_manager import Status


class LoadProgress:
    """Follows the statuses of one engine. It begins with the first status that is loading and ends with the first that
    is not."""

    def __init__(self, server: LanguageServer, spawn: Callable[[Awaitable[Any]], None], name: str) -> None:
        """Takes ``spawn``, which runs work beside the handlers, and ``name``, with which the progress tokens begin."""
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
        """Begins the progress once the client has accepted the token, unless loading has ended meanwhile."""
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


@contextmanager
def transfer_progress(
    server: LanguageServer, token: str | int | None, title: str, cancel: Callable[[], object]
) -> Iterator[OnProgress]:
    """Yields a callback that sends the progress of a transfer to the client's token, or does nothing if there is no
    token.

    The progress ends with the block. ``cancel`` is called if the client cancels the progress.
    """
    if token is None:
        yield lambda _: None
        return
    progress = server.work_done_progress
    progress.begin(token, types.WorkDoneProgressBegin(title, percentage=0, cancellable=True))
    progress.tokens[token].add_done_callback(lambda _: cancel())
    last: tuple[int, str] | None = None

    def report(step: Progress) -> None:
        nonlocal last
        percentage = min(100, 100 * step.done // step.total) if step.total else 0
        if last != (percentage, step.doing):
            last = (percentage, step.doing)
            message = f"{step.done / 1e6:,.0f} of {step.total / 1e6:,.0f} MB, {step.doing}"
            progress.report(token, types.WorkDoneProgressReport(message=message, percentage=percentage))

    try:
        yield report
    finally:
        progress.tokens.pop(token, None)
        progress.end(token, types.WorkDoneProgressEnd())
