"""A language client that drives the real server over stdio, and keeps the text that it has sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from codegemma_lsp.document import Document, Edit, Encoding, Span
from codegemma_lsp.server import conversions

URI = "file:///workspace/module.py"
REQUEST_CANCELLED = -32800


class Client(LanguageClient):
    """``completed``: the reports of completions; ``statuses`` and ``messages``: what the user would have seen."""

    def __init__(self) -> None:
        super().__init__("tests", "1")
        self.encoding = Encoding.UTF16
        self.document = Document(uri=URI, text="")
        self.completed: list[Any] = []
        self.statuses: list[Any] = []
        self.messages: list[str] = []
        self.loading: list[Any] = []
        self.crashed: int | None = None
        self.feature("codegemma/completed")(lambda params: self.completed.append(params))
        self.feature("didChangeStatus")(lambda params: self.statuses.append(params))
        self.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self.messages.append(params.message))
        self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)(lambda params: None)
        self.feature(types.PROGRESS)(lambda params: self.on_progress(params))

    def on_progress(self, params: Any) -> None:
        self.loading.append(params.value)

    async def server_exit(self, server: asyncio.subprocess.Process) -> None:
        self.crashed = server.returncode

    def open(self, text: str, language: str = "python", uri: str = URI) -> None:
        self.document = Document(uri=uri, text=conversions.text(text), language=language, version=1)
        item = types.TextDocumentItem(uri, language, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def edit(self, *edits: Edit) -> None:
        """Sends edits in one notification; each is relative to the text after the one before it."""
        changes = []
        for edit in edits:
            start, end = (self.document.position(o, self.encoding) for o in (edit.span.start, edit.span.end))
            range_ = types.Range(types.Position(start.line, start.character), types.Position(end.line, end.character))
            changes.append(types.TextDocumentContentChangePartial(text=edit.text, range=range_))
            self.document = self.document.with_edit(edit)
        self.document = self.document.with_text(self.document.text, self.document.version + 1)
        identifier = types.VersionedTextDocumentIdentifier(self.document.version, self.document.uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(identifier, changes))

    def type(self, offset: int, text: str) -> None:
        self.edit(Edit(Span(offset, offset), text))

    def request(
        self, position: types.Position, msg_id: str, *, explicit: bool = False, selected: Any = None
    ) -> asyncio.Future[Any]:
        kinds = types.InlineCompletionTriggerKind
        context = types.InlineCompletionContext(kinds.Invoked if explicit else kinds.Automatic, selected)
        params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(self.document.uri), position)
        sent = self.protocol.send_request_async(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=msg_id)
        future: asyncio.Future[Any] = asyncio.ensure_future(sent)
        return future

    def position(self, offset: int) -> types.Position:
        position = self.document.position(offset, self.encoding)
        return types.Position(position.line, position.character)

    async def complete(self, offset: int, **how: Any) -> list[types.InlineCompletionItem]:
        answer = await self.request(self.position(offset), f"complete-{id(object())}-{offset}", **how)
        return list(answer.items)

    async def ready(self, message: str = "Ready") -> None:
        """Waits for a status that begins so."""
        async with asyncio.timeout(30):
            while not any(status.message.startswith(message) for status in self.statuses):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    options: Any = None,
    encoding: Encoding = Encoding.UTF16,
    capabilities: types.ClientCapabilities | None = None,
    wait: str = "Ready",
    command: tuple[str, ...] = (sys.executable, "-m", "codegemma_lsp", "serve"),
    client: Client | None = None,
    *,
    root: str = "file:///workspace",
) -> AsyncIterator[Client]:
    """A server of its own, initialized with ``options`` for the folder ``root``; leaves it by
    ``shutdown`` and ``exit`` and checks how it left."""
    client = client or Client()
    await client.start_io(*command)
    capabilities = capabilities or types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind(encoding.value)]),
        window=types.WindowClientCapabilities(work_done_progress=True),
    )
    params = types.InitializeParams(capabilities, initialization_options=options, root_uri=root)
    answer = await client.initialize_async(params)
    client.encoding = conversions.encoding(answer.capabilities.position_encoding)
    client.initialized(types.InitializedParams())
    try:
        if wait:
            await client.ready(wait)
        yield client
    finally:
        with suppress(JsonRpcException, TimeoutError):
            await asyncio.wait_for(client.shutdown_async(None), 10)
        client.exit(None)
        for _ in range(500):
            if client.crashed is not None:
                break
            await asyncio.sleep(0.01)
        else:
            # Waiting for a server that hangs would take as long as it does.
            client._server.kill()  # type: ignore[union-attr]
        await client.stop()  # type: ignore[no-untyped-call]
    assert client.crashed == 0, f"the server left with {client.crashed}"
