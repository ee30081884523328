"""An editor without a window: it drives the real server over stdio, with one open file at a time in view."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from codegemma_lsp.document import Document, Edit, Encoding, Position, Span
from codegemma_lsp.syntax import language_name

T = TypeVar("T")
_LOAD_SECONDS = 300
_IDLE_SECONDS = 30
_KEY_SECONDS = 0.03
# A terminal cannot draw a suggestion that grows, so the whole is waited for.
_SETTINGS = {
    "answerWithinMs": 0,
    "reportCompletions": True,
    "chatMaxTokens": 200,
    "usage": False,
    "shareModel": False,
}
"""What the tour accepts is not the user's. No process with a model in memory outlives it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took: milliseconds as the editor sees them, and tokens."""

    ms: float
    prefill: int
    cached: int
    completion: int


@dataclass(frozen=True, slots=True)
class Ghost:
    """What a suggestion would put in the place of ``span``; ``reason`` says why there is none."""

    span: Span
    text: str
    cost: Cost
    reason: str = ""


class ServerFailed(Exception):
    """The server cannot answer; ``str()`` is its sentence."""


class _Client(LanguageClient):
    """Knows when the server has ended by itself."""

    def __init__(self) -> None:
        super().__init__("demo", "1")
        self.ended = asyncio.Event()

    async def server_exit(self, server: asyncio.subprocess.Process) -> None:
        self.ended.set()


@dataclass
class Editor:
    """``message`` is told what the server wants its user to read."""

    folder: Path
    message: Callable[[str], None]
    document: Document = field(default_factory=lambda: Document(uri="", text=""))
    _client: _Client = field(default_factory=_Client)
    _open: dict[str, Document] = field(default_factory=dict)
    _reports: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _say: Callable[[str], None] = lambda _: None

    async def start(self, settings: dict[str, Any]) -> str:
        """Starts the server and waits for its model; returns the status that it ends with. Raises ``ServerFailed``."""
        loaded: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def on_status(params: Any) -> None:
            if not params.busy and not loaded.done():
                loaded.set_result(params)

        self._client.feature("didChangeStatus")(on_status)
        self._client.feature("codegemma/completed")(lambda params: self._reports.put_nowait(params))
        self._client.feature(types.PROGRESS)(lambda params: self._say(params.value["text"]))
        self._client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self._told(params))
        await self._client.start_io(
            sys.executable, "-m", "codegemma_lsp", "serve", "--trust-settings", "--log-level", "error"
        )
        encodings = types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf32])
        await self._client.initialize_async(
            types.InitializeParams(
                types.ClientCapabilities(general=encodings),
                root_uri=self.folder.as_uri(),
                initialization_options={**_SETTINGS, **settings},
            )
        )
        self._client.initialized(types.InitializedParams())
        status = await self.while_serving(asyncio.wait_for(loaded, _LOAD_SECONDS))
        if status.kind == "Error":
            raise ServerFailed(status.message)
        return str(status.message)

    async def while_serving(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what waits for the server. Raises ``ServerFailed`` where it ends before."""
        task, ended = asyncio.create_task(work), asyncio.create_task(self._client.ended.wait())
        try:
            await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ServerFailed(
                "The server has ended by itself; .venv/bin/codegemma-lsp doctor checks the installation."
            )
        finally:
            task.cancel()
            ended.cancel()

    def _told(self, params: types.ShowMessageParams) -> None:
        if params.type is not types.MessageType.Error:  # an error is a status, too
            self.message(params.message)

    async def stop(self) -> None:
        # Ctrl+C reaches the server, too: it may be gone.
        with suppress(JsonRpcException, TimeoutError, RuntimeError, ConnectionError):
            await asyncio.wait_for(self._client.shutdown_async(None), 10)
            self._client.exit(None)
        await self._client.stop()  # type: ignore[no-untyped-call]

    def view(self, name: str, text: str) -> None:
        """Brings a file of the folder into view, with ``text`` in it: opened, or changed where it differs."""
        uri = (self.folder / name).as_uri()
        known = self._open.get(uri)
        if known is None:
            self.document = Document(uri=uri, text=text, language=language_name("", name), version=1)
            item = types.TextDocumentItem(uri, self.document.language, 1, text)
            self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))
            self._open[uri] = self.document
        else:
            self.document = known
            if known.text != text:
                self.edit(_difference(known.text, text))

    def edit(self, edit: Edit) -> None:
        start, end = self._at(edit.span.start), self._at(edit.span.end)
        version = self.document.version + 1
        change = types.TextDocumentContentChangePartial(types.Range(start, end), edit.text)
        identifier = types.VersionedTextDocumentIdentifier(version, self.document.uri)
        self._client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        self.document = self._open[self.document.uri] = self.document.with_edit(edit, version)

    async def type(self, offset: int, text: str) -> int:
        """Types text, key by key; returns the cursor's new offset."""
        for key in text:
            self.edit(Edit(Span(offset, offset), key))
            offset += 1
            await asyncio.sleep(_KEY_SECONDS)
        return offset

    async def rest(self, offset: int) -> None:
        """Lets the cursor rest until the server has done what it does meanwhile, as it is while one reads."""
        await self.pause(0.05)
        params = {"textDocument": {"uri": self.document.uri}, "position": _plain(self._at(offset))}
        self._client.protocol.notify("codegemma/didRest", params)
        await self.pause(0.2)

    async def pause(self, seconds: float) -> None:
        """At least so long, and until the model has nothing left to do."""
        end = time.monotonic() + _IDLE_SECONDS
        while time.monotonic() < end:
            await asyncio.sleep(seconds)
            if (await self._state()).engine.idle:
                return

    async def complete(self, offset: int) -> Ghost:
        """What the server suggests at a cursor."""
        began = time.perf_counter()
        answer = await self._client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                types.TextDocumentIdentifier(self.document.uri),
                self._at(offset),
            )
        )
        ms = 1000 * (time.perf_counter() - began)
        report = await asyncio.wait_for(self._reports.get(), 10)
        cost = Cost(ms, report.tokens.prefill, report.tokens.cached, report.tokens.completion)
        items = answer.items if isinstance(answer, types.InlineCompletionList) else []
        if not items or items[0].range is None:
            return Ghost(Span(offset, offset), "", cost, report.reason)
        ends = (items[0].range.start, items[0].range.end)
        start, end = (self.document.offset(Position(p.line, p.character), Encoding.UTF32) for p in ends)
        return Ghost(Span(start, end), str(items[0].insert_text), cost)

    async def ask(self, question: str, span: Span, say: Callable[[str], None]) -> tuple[bool, Cost]:
        """Asks about a part of the file in view; whether the answer is whole. Raises ``ServerFailed``."""
        selection = {"uri": self.document.uri, "range": self._range(span)}
        params = {"text": question, "selection": selection, "partialResultToken": "demo"}
        self._say = say
        answer, cost = await self._chat("codegemma/chat", params)
        return bool(answer.complete), cost

    async def propose(self, action: str, instruction: str, span: Span) -> tuple[str, Cost]:
        """The text of the file in view as an action would leave it; nothing is applied. Raises ``ServerFailed``."""
        params = {"uri": self.document.uri, "range": self._range(span), "action": action, "instruction": instruction}
        answer, cost = await self._chat("codegemma/edit", params)
        ends = (answer.range.start, answer.range.end)
        start, end = (self.document.offset(Position(p.line, p.character), Encoding.UTF32) for p in ends)
        return self.document.text[:start] + str(answer.text) + self.document.text[end:], cost

    async def _chat(self, method: str, params: dict[str, Any]) -> tuple[Any, Cost]:
        before = _chat_usage(await self._state())
        began = time.perf_counter()
        try:
            answer = await self._client.protocol.send_request_async(method, params)
        except JsonRpcException as error:
            raise ServerFailed(error.message) from None
        ms = 1000 * (time.perf_counter() - began)
        after = _chat_usage(await self._state())
        return answer, Cost(ms, *(new - old for new, old in zip(after, before, strict=True)))

    async def _state(self) -> Any:
        return await self._client.protocol.send_request_async("codegemma/state", None)

    def _at(self, offset: int) -> types.Position:
        position = self.document.position(offset, Encoding.UTF32)
        return types.Position(position.line, position.character)

    def _range(self, span: Span) -> dict[str, Any]:
        return {"start": _plain(self._at(span.start)), "end": _plain(self._at(span.end))}


def _plain(position: types.Position) -> dict[str, int]:
    return {"line": position.line, "character": position.character}


def _chat_usage(state: Any) -> tuple[int, int, int]:
    usage = state.chat.usage if state.chat is not None else None
    return (usage.prefill_tokens, usage.cached_tokens, usage.completion_tokens) if usage is not None else (0, 0, 0)


def _difference(old: str, new: str) -> Edit:
    """The one edit that makes a text of another."""
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    same = 0
    while same < most - start and old[-1 - same] == new[-1 - same]:
        same += 1
    return Edit(Span(start, len(old) - same), new[start : len(new) - same])
