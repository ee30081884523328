"""The language server: handlers of a few lines over a session, and the only place where errors end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method

from codegemma_lsp import __version__, convert
from codegemma_lsp.completion import Outcome, Query
from codegemma_lsp.engines.base import Usage
from codegemma_lsp.keeper import Status
from codegemma_lsp.lookahead import opening_offset
from codegemma_lsp.session import Session
from codegemma_lsp.settings import SECTION, Popup, section

log = logging.getLogger(__name__)

STATUS = "didChangeStatus"
COMPLETED = "codegemma/completed"
STATE = "codegemma/state"
DID_REST = "codegemma/didRest"
_SWITCH_S = 0.001
"""Longest time for which the planning thread may keep the event loop from running."""

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


class Protocol(LanguageServerProtocol):
    """Leaves documents to the session: pygls would keep a second copy of each, and splits lines where LSP does not.

    Also answers requests whose parameters make no sense, and those that come after ``shutdown``: pygls logs them only.
    """

    @property
    def left_properly(self) -> bool:
        """Whether the client has asked for ``shutdown``."""
        return bool(self._shutdown)

    def handle_message(self, message: Any) -> None:
        if self._shutdown and hasattr(message, "id") and hasattr(message, "method"):
            error = types.ResponseError(types.ErrorCodes.InvalidRequest.value, "The server is shutting down.")
            self._send_response(message.id, error=error)
        else:
            super().handle_message(message)

    def structure_message(self, data: dict[str, Any]) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    # Plain functions: of a handler that is a generator, pygls keeps a future for each notification.

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_OPEN](params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE](params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE](params)


class Server(LanguageServer):
    """pygls's server, with our session in it."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "codegemma-lsp", __version__, protocol_cls=Protocol, converter_factory=default_converter, max_workers=2
        )
        self.session = Session(self._publish_status)
        self._progress: str | None = None
        self._begun = False
        self._tasks: set[asyncio.Future[Any]] = set()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A message that could not be handled is logged; the editor is not interrupted over it."""
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
        self.protocol.notify(STATUS, {"busy": status.busy, "message": status.message, "kind": status.kind})
        if status.kind == "Error":
            self.show(f"codegemma: {status.message}", types.MessageType.Error)
        if status.loading is None:
            self._end_progress(status.message)
        elif self._progress is None:
            self._progress = f"codegemma-load-{self.session.keeper.loads}"
            self.spawn(self._begin_progress(self._progress, status.message))
        elif self._begun:
            percentage = int(100 * status.loading)
            self.work_done_progress.report(self._progress, types.WorkDoneProgressReport(percentage=percentage))

    async def _begin_progress(self, token: str, title: str) -> None:
        """Begins once the client has taken the token, unless it refuses, or loading has ended meanwhile."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        try:
            await self.work_done_progress.create_async(token)
        except JsonRpcException:
            return
        if self._progress == token:
            self._begun = True
            self.work_done_progress.begin(token, types.WorkDoneProgressBegin(title, percentage=0, cancellable=False))

    def _end_progress(self, message: str) -> None:
        if self._progress is not None and self._begun:
            self.work_done_progress.end(self._progress, types.WorkDoneProgressEnd(message=message))
        self._progress, self._begun = None, False

    def shown_path(self, uri: str) -> str:
        """The path of a document as the model sees it."""
        folders = [folder.uri for folder in self.workspace.folders.values()]
        return convert.display_path(uri, folders or [self.workspace.root_uri or ""])


server = Server()


@server.feature(types.INITIALIZE)
def on_initialize(params: types.InitializeParams) -> None:
    server.session.initial = dict(section(params.initialization_options))
    server.session.pending_problems = server.session.configure(None)
    server.session.encoding = convert.encoding(server.workspace.position_encoding)
    if server.session.settings.popup is Popup.ON and types.TEXT_DOCUMENT_COMPLETION not in server.protocol.fm.features:
        server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "(", " "]))(
            on_completion
        )


@server.feature(types.INITIALIZED)
async def on_initialized(params: types.InitializedParams) -> None:
    for problem in server.session.pending_problems:
        server.show(f"codegemma: {problem}")
    server.spawn(server.session.load())
    await server.pull_configuration()


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
async def on_did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
    workspace = server.client_capabilities.workspace
    if workspace is not None and workspace.configuration:
        await server.pull_configuration()
    elif isinstance(params.settings, dict) and SECTION in params.settings:
        server.configure(params.settings)


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def on_did_open(params: types.DidOpenTextDocumentParams) -> None:
    document = convert.opened(params.text_document)
    server.session.open(document)
    offset = opening_offset(document.text, server.session.settings)
    server.session.rest(Query(document, offset, server.shown_path(document.uri)), opened=True)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def on_did_change(params: types.DidChangeTextDocumentParams) -> None:
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        log.warning("change of a document that is not open")
        return
    version = params.text_document.version
    encoding = server.session.encoding
    server.session.change(convert.changed(document, params.content_changes, version, encoding))


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def on_did_close(params: types.DidCloseTextDocumentParams) -> None:
    server.session.close(params.text_document.uri)


@server.feature(DID_REST)
def on_did_rest(params: Any) -> None:
    """``{textDocument: {uri}, position}``, from editors that can tell that the cursor has come to rest."""
    where = convert.place(params)
    document = server.session.documents.get(where[0]) if where is not None else None
    if where is not None and document is not None:
        offset = document.offset(where[1], server.session.encoding)
        server.session.rest(Query(document, offset, server.shown_path(document.uri)))


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def on_inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        return types.InlineCompletionList(items=[])
    encoding = server.session.encoding
    query = Query(
        document,
        document.offset(convert.position(params.position), encoding),
        server.shown_path(document.uri),
        params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked,
        convert.selected(document, params.context, encoding),
    )
    return convert.inline_items(document, (await answer(query)).suggestion, encoding)


async def on_completion(params: types.CompletionParams) -> types.CompletionList:
    document = server.session.documents.get(params.text_document.uri)
    if document is None or server.session.settings.popup is Popup.OFF:
        return types.CompletionList(is_incomplete=False, items=[])
    encoding = server.session.encoding
    offset = document.offset(convert.position(params.position), encoding)
    query = Query(document, offset, server.shown_path(document.uri))
    return convert.popup_items(document, (await answer(query, types.TEXT_DOCUMENT_COMPLETION)).suggestion, encoding)


async def answer(query: Query, method: str = types.TEXT_DOCUMENT_INLINE_COMPLETION) -> Outcome:
    outcome = await server.session.complete(query, method)
    if server.session.settings.report_completions:
        server.protocol.notify(COMPLETED, report(query, outcome))
    return outcome


def report(query: Query, outcome: Outcome) -> dict[str, Any]:
    """Counts and times of one completion, for benchmarks; no source text. ``total`` is of all that the engine did."""
    usage, engine = outcome.usage, server.session.keeper.engine
    total = engine.usage if engine is not None else Usage()
    return {
        "uri": query.document.uri,
        "version": query.document.version,
        "origin": outcome.origin.value,
        "reason": outcome.reason,
        "meanLogprob": outcome.mean_logprob,
        "tokens": {
            "prompt": usage.prompt,
            "reused": usage.reused,
            "read": usage.read,
            "generated": usage.generated,
            "drafted": usage.drafted,
            "accepted": usage.accepted,
        },
        "total": {"read": total.read, "generated": total.generated},
        "ms": {name: round(value, 3) for name, value in outcome.ms.items()},
    }


@server.feature(STATE)
def on_state(params: Any) -> dict[str, Any]:
    return server.session.state()


@server.command(convert.ACCEPT_COMMAND)
def on_accept(suggestion: str) -> None:
    server.session.accepted += 1
    log.info("accepted %s", suggestion)


@server.feature(DID_SHOW)
def on_did_show(params: Any) -> None:
    server.session.shown += 1


@server.feature(DID_PARTIALLY_ACCEPT)
def on_did_partially_accept(params: Any) -> None:
    server.session.partially_accepted += 1


@server.feature(types.SHUTDOWN)
async def on_shutdown(params: None) -> None:
    await server.session.shut_down()


def serve(log_level: str = "warning") -> None:
    """Serves over stdio until the client leaves. Nothing but the protocol reaches stdout: what any library prints
    there goes to stderr. pygls logs whole messages, so it is silent unless at ``debug``."""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if level > logging.DEBUG:
        for name in ("pygls", "lsprotocol"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.setswitchinterval(_SWITCH_S)
    protocol_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        server.start_io(sys.stdin.buffer, protocol_out)
    finally:
        server.session.keeper.release()
    sys.exit(0 if server.protocol.left_properly else 1)
