"""Our server, driven over stdio as an editor drives it."""

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
from codegemma_lsp.document import Document, Edit, Encoding, Position, Span

_READY_S = 300.0
_POLL_S, _IDLE_POLL_S = 0.001, 0.02


class Ours:
    """A server of its own with settings of its own. A newer request cancels the older one, as editors do."""

    def __init__(self, name: str, settings: Mapping[str, Any], module: str = "codegemma_lsp") -> None:
        """``module``: what runs the server; another one may watch it."""
        self.name, self._settings, self._module = name, dict(settings), module
        self._client = LanguageClient("codegemma-bench", "1")
        self._ready = asyncio.Event()
        self._failed = ""
        self._origins: dict[int, tuple[str, str]] = {}
        self._seen = 0
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
        await self._client.start_io(sys.executable, "-m", self._module, "serve", env=_without_user_settings())
        options = {**self._settings, "reportCompletions": True}
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf16])
        )
        params = types.InitializeParams(
            capabilities, initialization_options=options, root_uri="file:///workspace", process_id=None
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
        self._record.made[report.version] = report.tokens.completion
        self.reports.append(report)

    def _count(self, version: int, total: int) -> None:
        """``total``: all that the engine has read so far, ahead of requests and for cancelled ones too."""
        self._record.read(version, total - self._seen)
        self._seen = total

    async def _state(self) -> Any:
        return await self._client.protocol.send_request_async("codegemma/state", {})

    async def open(self, document: Document, record: Record) -> None:
        self._record, self._uri, self._before = record, document.uri, document
        self._origins.clear()
        self._seen = (await self._state()).engine.usage.prefill_tokens
        item = types.TextDocumentItem(document.uri, document.language, document.version, document.text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        if self._running is not None:
            self._cancel(*self._running)
        self._change(document, edit)
        self._running = self._ask(document, offset, types.InlineCompletionTriggerKind.Automatic)
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
        if origin == "none":
            record.fail(f"{self.name} cannot answer: {reason}")
            return
        item, span, insert = answer.items[0] if answer.items else None, Span(offset, offset), ""
        if item is not None:
            start = document.offset(Position(item.range.start.line, item.range.start.character), Encoding.UTF16)
            end = document.offset(Position(item.range.end.line, item.range.end.character), Encoding.UTF16)
            span, insert = Span(start, end), str(item.insert_text)
        record.answer(document.version, insert, span, origin == "reuse")

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
        self._record.check()
        state = await self._until(idle=True, poll_s=_IDLE_POLL_S)
        if self._record.keys:
            self._count(max(self._record.keys), state.engine.usage.prefill_tokens)

    async def _until(self, *, idle: bool, poll_s: float) -> Any:
        while (state := await self._state()).engine.idle is not idle:
            await asyncio.sleep(poll_s)
        return state

    async def counters(self) -> Counters:
        usage, times = (await self._state()).engine.usage, self._process.cpu_times()
        rss = self._process.memory_info().rss / 1e6
        rejected = usage.draft_tokens - usage.accepted_draft_tokens
        return Counters(usage.prefill_tokens, usage.completion_tokens, rejected, times.user + times.system, rss)

    async def loop_ms(self) -> list[float]:
        """What each callback on the server's event loop took since it was last asked; only of a server that is
        watched (``watched.py``)."""
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
        began = time.perf_counter()
        self._cancel(request, task)
        state = await self._until(idle=True, poll_s=_POLL_S)
        took = 1000 * (time.perf_counter() - began)
        await task
        return took, state.engine.usage.prefill_tokens_after_cancel - before

    async def stop(self) -> None:
        with suppress(JsonRpcException, RuntimeError, TimeoutError, OSError):
            await asyncio.wait_for(self._client.shutdown_async(None), 10)
            self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]


def _position(position: Position) -> types.Position:
    return types.Position(position.line, position.character)


def _without_user_settings() -> dict[str, str]:
    """The environment, without the user's own settings: what is measured depends on the command alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEGEMMA_")}
    folders = {name: os.environ[name] for name in ("CODEGEMMA_MODELS",) if name in os.environ}
    return {**kept, **folders, "CODEGEMMA_CONFIG": os.devnull}
