"""Types at several cursors of real files, and shows what the server suggests, in place."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient
from rich.console import Console
from rich.text import Text

from codegemma_lsp.completion import Origin, Outcome, Suggestion
from codegemma_lsp.document import Document, Edit, Encoding, Position, Span
from codegemma_lsp.engines.base import Usage
from codegemma_lsp.headless import Place, print_in_place
from codegemma_lsp.syntax import find_language

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Stop:
    """A cursor: after the first ``after`` in a file, with the rest of the line taken away, as it is when one has just
    typed that far."""

    path: str
    after: str


STOPS = (
    Stop("tests/data/shapes.py", "        for shape in self."),
    Stop("tests/data/shapes.py", "    width: float\n    height:"),
    Stop("tests/data/shapes.py", "        self.shapes.append("),
    Stop("tests/data/shapes.py", "        return sum(shape.area() for shape in self."),
    Stop("tests/data/cart.js", "    let sum ="),
    Stop("tests/data/cart.js", "    if (sum >= this.discountFrom"),
)
DOCUMENTED = Stop("tests/data/shapes.py", "    def largest(self)")


async def main() -> None:
    console = Console(highlight=False)
    client = LanguageClient("demo", "1")
    reports: asyncio.Queue[Any] = asyncio.Queue()
    ready = asyncio.Event()
    client.feature("codegemma/completed")(lambda params: reports.put_nowait(params))
    client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: console.print(params.message, style="yellow"))

    @client.feature("didChangeStatus")
    def on_status(params: Any) -> None:
        if not params.busy:
            console.print(f"[bold]{params.message}[/]\n")
            ready.set()

    await client.start_io(sys.executable, "-m", "codegemma_lsp", "serve")
    encodings = [types.PositionEncodingKind.Utf32]
    capabilities = types.ClientCapabilities(general=types.GeneralClientCapabilities(position_encodings=encodings))
    await client.initialize_async(
        types.InitializeParams(
            capabilities, root_uri=CHECKOUT.as_uri(), initialization_options={"reportCompletions": True}
        )
    )
    client.initialized(types.InitializedParams())
    await asyncio.wait_for(ready.wait(), 60)
    for stop in STOPS:
        document, offset = opened(client, stop)
        outcome = await ask(client, reports, document, offset)
        show(console, stop, document, offset, outcome)
        if stop is STOPS[0] and outcome.suggestion is not None:
            await type_it(console, client, reports, stop, document, offset, outcome.suggestion)
    await document_it(console, client)
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    console.print("Try your own: [bold].venv/bin/codegemma-lsp complete FILE:LINE:COL[/], or [bold]chat[/]")


def opened(client: LanguageClient, stop: Stop) -> tuple[Document, int]:
    """Opens the file as it was when one had typed up to the stop."""
    text = (CHECKOUT / stop.path).read_text("utf-8")
    offset = text.index(stop.after) + len(stop.after)
    end = text.index("\n", offset)
    language = find_language("", stop.path)
    assert language is not None
    uri = f"{(CHECKOUT / stop.path).as_uri()}?{offset}"
    document = Document(uri, text[:offset] + text[end:], language.name, 1)
    item = types.TextDocumentItem(uri, language.name, 1, document.text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return document, offset


async def ask(client: LanguageClient, reports: asyncio.Queue[Any], document: Document, offset: int) -> Outcome:
    position = document.position(offset, Encoding.UTF32)
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
    answer = await client.text_document_inline_completion_async(
        types.InlineCompletionParams(
            context, types.TextDocumentIdentifier(document.uri), types.Position(position.line, position.character)
        )
    )
    report = await asyncio.wait_for(reports.get(), 10)
    tokens = report.tokens
    usage = Usage(tokens.prompt, tokens.reused, tokens.read, tokens.generated)
    suggestion = None
    assert isinstance(answer, types.InlineCompletionList)
    for item in answer.items[:1]:  # the others are alternatives to it
        assert item.range is not None
        start, end = (
            document.offset(Position(p.line, p.character), Encoding.UTF32) for p in (item.range.start, item.range.end)
        )
        suggestion = Suggestion("", Span(start, end), str(item.insert_text))
    return Outcome(suggestion, Origin(report.origin), usage, {"total": report.ms.total}, report.reason)


async def type_it(
    console: Console,
    client: LanguageClient,
    reports: asyncio.Queue[Any],
    stop: Stop,
    document: Document,
    offset: int,
    suggestion: Suggestion,
) -> None:
    """Types the suggestion's first characters: the rest is answered without the model."""
    typed = suggestion.text[:2]
    position = document.position(offset, Encoding.UTF32)
    at = types.Position(position.line, position.character)
    change = types.TextDocumentContentChangePartial(types.Range(at, at), typed)
    identifier = types.VersionedTextDocumentIdentifier(2, document.uri)
    client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
    document = document.with_edit(Edit(Span(offset, offset), typed), 2)
    console.print(f"Typing {typed!r}, as suggested, asks nothing of the model:", style="bold")
    show(console, stop, document, offset + len(typed), await ask(client, reports, document, offset + len(typed)))


async def document_it(console: Console, client: LanguageClient) -> None:
    """Asks for an edit, and shows what it would change."""
    document, offset = opened(client, DOCUMENTED)
    document = Document(
        document.uri.replace("?", "?edit"), (CHECKOUT / DOCUMENTED.path).read_text("utf-8"), "python", 1
    )
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(document.uri, "python", 1, document.text))
    )
    line = document.line_at(offset)
    console.print(f"[bold]/doc[/] on line {line + 1} of {DOCUMENTED.path}, by the small demo model for chat:")
    place = {"line": line, "character": 8}
    params = {"uri": document.uri, "range": {"start": place, "end": place}, "action": "doc"}
    try:
        answer = await client.protocol.send_request_async("codegemma/edit", params)
    except JsonRpcException as error:
        console.print(f"  {error.message}\n", style="dim")
        return
    added = " " * answer.range.start.character + str(answer.text).rstrip()
    for text in added.split("\n"):
        console.print(Text(f"  + {text}", "green"), soft_wrap=True)
    console.print()


def show(console: Console, stop: Stop, document: Document, offset: int, outcome: Outcome) -> None:
    position = document.position(offset, Encoding.UTF32)
    print_in_place(console, Place(stop.path, position.line + 1, position.character + 1), document, offset, outcome)


if __name__ == "__main__":
    asyncio.run(main())
