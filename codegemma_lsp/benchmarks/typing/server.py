"""codegemma-lsp, used over stdio as an editor uses it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from codegemma_lsp.benchmarks.typing.replay import Counters, Record
from codegemma_lsp.benchmarks.typing.screen import Shown
from codegemma_lsp.benchmarks.typing.typist import WORKSPACE, Amount, Part
from codegemma_lsp.document import Document, Edit, Encoding, Position, Span
from codegemma_lsp.settings.guarded import TRUST_VARIABLE

SERVER = "codegemma-lsp"
_READY_S = 300.0
_ALONE = {"CODEGEMMA_SHARE_MODEL": "false"}
"""A server has its engines in a process of its own, unless the settings say otherwise."""
_POLL_S, _IDLE_POLL_S = 0.001, 0.02


class CodegemmaServer:
    """A server process with the given settings. As in editors, a newer request cancels the older one after its change
    is sent."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        module: str = "codegemma_lsp",
        grows_suggestions: bool = False,
        environment: Mapping[str, str] | None = None,
        folder: str = WORKSPACE,
    ) -> None:
        """Prepares the process. ``module`` runs the server; ``loop_profiler`` also measures its event loop.
        ``grows_suggestions`` means that the client can draw suggestions that grow, as the plugins can.
        ``environment`` has variables for it, and ``folder`` is the URI of the workspace."""
        self._folder = folder
        self._environment = {**_without_user_settings(), **(environment or {})}
        self.name, self._settings, self._module = name, dict(settings), module
        self._grows_suggestions = grows_suggestions
        self._grown: tuple[str, str] = ("", "")
        self._open: set[str] = set()
        self._client = LanguageClient("codegemma-bench", "1")
        self._ready = asyncio.Event()
        self._failed = ""
        self._origins: dict[int, tuple[str, str]] = {}
        self._seen = 0
        self.reports: list[Any] = []
        self._running: tuple[str, asyncio.Task[None]] | None = None
        self._record = Record()
        self._uri = ""
        self._before = Document(uri="", text="")

    async def start(self) -> None:
        """Raises ``RuntimeError`` with the server's own sentence if it does not become ready."""
        self._client.feature("didChangeStatus")(lambda status: self._on_status(status))
        self._client.feature("codegemma/completed")(lambda report: self._on_completed(report))
        self._client.feature("codegemma/suggestionGrew")(lambda params: self._on_grown(params))
        self._client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: None)
        await self._client.start_io(sys.executable, "-m", self._module, "serve", env=self._environment)
        options = {**self._settings, "reportCompletions": True}
        if self._grows_suggestions:
            options["growsSuggestions"] = True
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16])
        )
        params = types.InitializeParams(
            capabilities, initialization_options=options, root_uri=self._folder, process_id=None
        )
        try:
            async with asyncio.timeout(_READY_S):
                await self._client.initialize_async(params)
                self._client.initialized(types.InitializedParams())
                await self._ready.wait()
        except TimeoutError:
            raise RuntimeError(f"{self.name} was not ready after {_READY_S:.0f} s; see codegemma-lsp doctor.") from None
        if self._failed:
            raise RuntimeError(self._failed)
        self._process = psutil.Process((await self._state()).process)

    def _on_status(self, status: Any) -> None:
        if status.kind == "Error":
            self._failed = str(status.message)
        if status.kind == "Error" or str(status.message).startswith("Ready"):
            self._ready.set()

    def _on_completed(self, report: Any) -> None:
        self._origins[report.version] = (report.origin, report.reason)
        self._count(report.version, report.total.prefill)
        self._record.completion_tokens[report.version] = report.tokens.completion
        self.reports.append(report)

    def _on_grown(self, params: Any) -> None:
        """Notes what has grown. The item may not be on the screen yet, because its answer may still be on its way
        through the event loop."""
        if params.textDocument.uri == self._uri:
            self._grown = (str(params.itemId), str(params.text))
            self._record.screen.grow(*self._grown)

    def _count(self, version: int, total: int) -> None:
        """Adds the tokens prefilled since the last count. ``total`` is all that the engine has prefilled so far,
        including prefetches and cancelled requests."""
        self._record.add_prefill(version, total - self._seen)
        self._seen = total

    async def _state(self) -> Any:
        return await self._client.protocol.send_request_async("codegemma/state", {})

    async def engine_process(self) -> int:
        """Returns the id of the process that the model runs in."""
        found = await self._client.protocol.send_request_async("codegemma/engines", {})
        return int(found.process)

    async def open(self, document: Document, record: Record) -> None:
        self._record, self._uri, self._before = record, document.uri, document
        self._origins.clear()
        record.screen.clear()
        self._seen = (await self._state()).engine.usage.prefill_tokens
        if document.uri in self._open:
            return
        self._open.add(document.uri)
        item = types.TextDocumentItem(document.uri, document.language, document.version, document.text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        self._record.screen.edit(edit)
        self._change(document, edit)
        if self._running is not None:
            self._cancel(*self._running)
        self._running = self._ask(document, offset, types.InlineCompletionTriggerKind.Automatic)
        return True

    def _change(self, document: Document, edit: Edit) -> None:
        """Sends the change that ``edit`` made to ``document``. The start of the edit is the same before and after
        it."""
        start = document.position(edit.span.start, Encoding.UTF16)
        end = self._before.position(edit.span.end, Encoding.UTF16) if len(edit.span) else start
        range_ = types.Range(_position(start), _position(end))
        change = types.TextDocumentContentChangePartial(range_, edit.text)
        identifier = types.VersionedTextDocumentIdentifier(document.version, document.uri)
        self._client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        self._before = document

    def _ask(
        self, document: Document, offset: int, kind: types.InlineCompletionTriggerKind
    ) -> tuple[str, asyncio.Task[None]]:
        request = f"complete-{document.version}-{time.perf_counter_ns()}"
        return request, asyncio.create_task(self._answer(request, document, offset, kind))

    async def _answer(
        self, request: str, document: Document, offset: int, kind: types.InlineCompletionTriggerKind
    ) -> None:
        record = self._record
        position = _position(document.position(offset, Encoding.UTF16))
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(kind), types.TextDocumentIdentifier(document.uri), position
        )
        try:
            answer = await self._client.protocol.send_request_async(
                types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=request
            )
        except JsonRpcException as error:
            if error.code != types.LSPErrorCodes.RequestCancelled.value:
                record.fail(f"{self.name} answered with an error: {error}")
            return
        origin, reason = self._origins.get(document.version, ("", ""))
        if origin == "none" and document is self._before:
            record.fail(f"{self.name} cannot answer: {reason}")
            return
        item, span, insert = answer.items[0] if answer.items else None, Span(offset, offset), ""
        if item is not None:
            start = document.offset(Position(item.range.start.line, item.range.start.character), Encoding.UTF16)
            end = document.offset(Position(item.range.end.line, item.range.end.character), Encoding.UTF16)
            span, insert = Span(start, end), str(item.insert_text)
        record.answer(document.version, insert, span, origin == "reuse")
        if document is self._before:
            self._show(document, offset, insert, span, item)

    def _show(self, document: Document, offset: int, insert: str, span: Span, item: Any) -> None:
        """Shows an item, unless its text does not begin with what it replaces before the cursor, as in editors."""
        typed, screen = document.text[span.start : offset], self._record.screen
        shown = insert.removeprefix(typed) if insert.startswith(typed) else ""
        name = str(item.command.arguments[0]) if shown and item.command is not None else ""
        screen.show(offset, shown, span.end - offset, typed, name)
        screen.grow(*self._grown)
        if shown:
            self._client.protocol.notify("textDocument/didShowCompletion", {"item": item})

    def accept(self, shown: Shown, part: Part) -> None:
        if part.amount is Amount.WHOLE:
            self._client.workspace_execute_command(types.ExecuteCommandParams("codegemma.accept", [shown.item]))
        else:
            length = len(part.text.encode("utf-16-le")) // 2
            accepted = {"item": {"insertText": shown.typed + shown.text}, "acceptedLength": length}
            self._client.protocol.notify("textDocument/didPartiallyAcceptCompletion", accepted)

    def _cancel(self, request: str, task: asyncio.Task[None]) -> None:
        if not task.done():
            self._client.cancel_request(types.CancelParams(request))

    def move(self, document: Document, offset: int) -> None:
        position = document.position(offset, Encoding.UTF16)
        where = {"line": position.line, "character": position.character}
        self._client.protocol.notify("codegemma/didRest", {"textDocument": {"uri": document.uri}, "position": where})

    async def settle(self) -> None:
        if self._running is not None:
            await self._running[1]
            self._running = None
        self._record.check()
        while not ((state := await self._state()).engine.idle and state.settled):
            await asyncio.sleep(_IDLE_POLL_S)

    async def close(self) -> None:
        if self._running is not None:
            await self._running[1]
            self._running = None
        self._open.discard(self._uri)
        identifier = types.TextDocumentIdentifier(self._uri)
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
        self._record.check()
        state = await self._until(idle=True, poll_s=_IDLE_POLL_S)
        if self._record.keys:
            self._count(max(self._record.keys), state.engine.usage.prefill_tokens)

    async def _until(self, *, idle: bool, poll_s: float) -> Any:
        while (state := await self._state()).engine.idle is not idle:
            await asyncio.sleep(poll_s)
        return state

    async def counters(self) -> Counters:
        usage = (await self._state()).engine.usage
        processes = [self._process, *self._process.children(recursive=True)]
        times = [process.cpu_times() for process in processes]
        rejected_tokens = usage.draft_tokens - usage.accepted_draft_tokens
        return Counters(
            prefill_tokens=usage.prefill_tokens,
            completion_tokens=usage.completion_tokens,
            rejected_tokens=rejected_tokens,
            cpu_s=sum(one.user + one.system for one in times),
            rss_mb=sum(process.memory_info().rss for process in processes) / 1e6,
        )

    async def loop_ms(self) -> list[float]:
        """Returns the milliseconds of each callback on the server's event loop since the last call, if
        ``loop_profiler`` runs the server."""
        times = await self._client.protocol.send_request_async("codegemma/bench/loop", {})
        return [float(ms) for ms in times]

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int | None] | None:
        before = (await self._until(idle=True, poll_s=_POLL_S)).engine.usage.prefill_tokens_after_cancel
        request, task = self._ask(document, offset, types.InlineCompletionTriggerKind.Invoked)
        while (await self._state()).engine.idle and not task.done():
            await asyncio.sleep(_POLL_S)
        await asyncio.sleep(after_s)
        if task.done():
            return None
        # A cancelled request lingers, and during its prefill, text typed at the cursor does not
        # disagree yet. A change elsewhere does.
        typed = Edit(Span(0, 0), " ")
        changed = document.with_edit(typed, document.version + 1)
        began = time.perf_counter()
        self._change(changed, typed)
        self._cancel(request, task)
        state = await self._until(idle=True, poll_s=_POLL_S)
        took = 1000 * (time.perf_counter() - began)
        await task
        self._change(changed.with_edit(back := Edit(Span(0, 1), ""), document.version), back)
        return took, state.engine.usage.prefill_tokens_after_cancel - before

    async def stop(self) -> None:
        with suppress(JsonRpcException, RuntimeError, TimeoutError, OSError):
            await asyncio.wait_for(self._client.shutdown_async(None), 10)
            self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]


def _position(position: Position) -> types.Position:
    return types.Position(position.line, position.character)


def _without_user_settings() -> dict[str, str]:
    """Returns the environment without the user's own settings, because measurements must depend only on the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEGEMMA_")}
    folders = {name: os.environ[name] for name in ("CODEGEMMA_MODELS",) if name in os.environ}
    ours = {"CODEGEMMA_CONFIG": os.devnull, "CODEGEMMA_USAGE": "false", TRUST_VARIABLE: "1", **_ALONE}
    return {**kept, **folders, **ours}
