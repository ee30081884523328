"""Our server, driven over stdio as an editor drives it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from codegemma_lsp.bench.replay import Counters, Record
from codegemma_lsp.document import Document, Edit, Encoding, Position, Span

_READY_S = 300.0
_POLL_S = 0.001


class Ours:
    """A server of its own with settings of its own. A newer request cancels the older one, as editors do."""

    def __init__(self, name: str, settings: Mapping[str, Any], module: str = "codegemma_lsp") -> None:
        """``module``: what runs the server; another one may watch it."""
        self.name, self._settings, self._module = name, dict(settings), module
        self._client = LanguageClient("codegemma-bench", "1")
        self._ready = asyncio.Event()
        self._failed = ""
        self._origins: dict[int, str] = {}
        self.reports: list[Any] = []
        self._running: tuple[str, asyncio.Task[None]] | None = None
        self._record = Record()
        self._uri = ""
        self._before = Document("", "")

    async def start(self) -> None:
        """Raises ``RuntimeError`` with the server's own sentence where it does not get ready."""
        self._client.feature("didChangeStatus")(lambda status: self._on_status(status))
        self._client.feature("codegemma/completed")(lambda report: self._on_completed(report))
        self._client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: None)
        await self._client.start_io(sys.executable, "-m", self._module, "serve")
        options = {**self._settings, "reportCompletions": True}
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16])
        )
        params = types.InitializeParams(
            capabilities, initialization_options=options, root_uri="file:///workspace", process_id=None
        )
        await self._client.initialize_async(params)
        self._client.initialized(types.InitializedParams())
        await asyncio.wait_for(self._ready.wait(), _READY_S)
        if self._failed:
            raise RuntimeError(self._failed)
        self._process = psutil.Process((await self._state()).process)

    def _on_status(self, status: Any) -> None:
        if status.kind == "Error":
            self._failed = str(status.message)
        if status.kind == "Error" or str(status.message).startswith("Ready"):
            self._ready.set()

    def _on_completed(self, report: Any) -> None:
        self._origins[report.version] = report.origin
        self._record.read(report.version, report.tokens.read)
        self.reports.append(report)

    async def _state(self) -> Any:
        return await self._client.protocol.send_request_async("codegemma/state", {})

    async def open(self, document: Document, record: Record) -> None:
        self._record, self._uri, self._before = record, document.uri, document
        self._origins.clear()
        item = types.TextDocumentItem(document.uri, document.language, document.version, document.text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        if self._running is not None:
            self._cancel(*self._running)
        self._change(document, edit)
        self._running = self._ask(document, offset)
        return True

    def _change(self, document: Document, edit: Edit) -> None:
        """``edit`` made ``document``; where it starts is the same before and after."""
        start = document.position(edit.span.start, Encoding.UTF16)
        end = self._before.position(edit.span.end, Encoding.UTF16) if len(edit.span) else start
        range_ = types.Range(_position(start), _position(end))
        change = types.TextDocumentContentChangePartial(range_, edit.text)
        identifier = types.VersionedTextDocumentIdentifier(document.version, document.uri)
        self._client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        self._before = document

    def _ask(self, document: Document, offset: int) -> tuple[str, asyncio.Task[None]]:
        request = f"complete-{document.version}-{time.perf_counter_ns()}"
        return request, asyncio.create_task(self._answer(request, document, offset))

    async def _answer(self, request: str, document: Document, offset: int) -> None:
        record = self._record
        position = _position(document.position(offset, Encoding.UTF16))
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(document.uri), position)
        try:
            answer = await self._client.protocol.send_request_async(
                types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=request
            )
        except JsonRpcException:
            return
        item = answer.items[0] if answer.items else None
        reused = self._origins.get(document.version) == "reuse"
        if item is None:
            record.answer(document.version, "", Span(offset, offset), reused)
            return
        start = document.offset(Position(item.range.start.line, item.range.start.character), Encoding.UTF16)
        end = document.offset(Position(item.range.end.line, item.range.end.character), Encoding.UTF16)
        record.answer(document.version, str(item.insert_text), Span(start, end), reused)

    def _cancel(self, request: str, task: asyncio.Task[None]) -> None:
        if not task.done():
            self._client.cancel_request(types.CancelParams(request))

    def move(self, document: Document, offset: int) -> None:
        position = document.position(offset, Encoding.UTF16)
        where = {"line": position.line, "character": position.character}
        self._client.protocol.notify("codegemma/didRest", {"textDocument": {"uri": document.uri}, "position": where})

    async def close(self) -> None:
        if self._running is not None:
            await self._running[1]
            self._running = None
        identifier = types.TextDocumentIdentifier(self._uri)
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
        await self._idle()

    async def _idle(self) -> Any:
        while not (state := await self._state()).engine.idle:
            await asyncio.sleep(_POLL_S)
        return state

    async def counters(self) -> Counters:
        usage, times = (await self._state()).engine.usage, self._process.cpu_times()
        rss = self._process.memory_info().rss / 1e6
        return Counters(usage.read, usage.generated, times.user + times.system, rss)

    async def loop_ms(self) -> list[float]:
        """What each callback on the server's event loop took since it was last asked; only of a server that is
        watched (``watched.py``)."""
        times = await self._client.protocol.send_request_async("codegemma/bench/loop", {})
        return [float(ms) for ms in times]

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int] | None:
        before = (await self._idle()).engine.usage.read_after_cancel
        request, task = self._ask(document, offset)
        await asyncio.sleep(after_s)
        if task.done():
            return None
        began = time.perf_counter()
        self._cancel(request, task)
        state = await self._idle()
        took = 1000 * (time.perf_counter() - began)
        await task
        return took, state.engine.usage.read_after_cancel - before

    async def stop(self) -> None:
        await self._client.shutdown_async(None)
        self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]


def _position(position: Position) -> types.Position:
    return types.Position(position.line, position.character)
