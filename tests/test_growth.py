"""Clients that can draw it are told of what is added to a suggestion that is on the screen."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from lsprotocol import types

from codegemma_lsp.completion import Query, Suggestion
from codegemma_lsp.document import Document, Encoding, Span
from codegemma_lsp.server import conversions
from codegemma_lsp.server.growth import GREW, GrowthNotifier
from codegemma_lsp.session.completions import Growth
from tests.client import Client, serving
from tests.slow_server import BEGUN, REST, command

DOCUMENT = Document(uri="file:///a.py", text="total = ", language="python", version=3)
SHOWN = Suggestion("an id", Span(8, 8), "first")


def grown(text: str, suggestion_id: str = "an id") -> Growth:
    return Growth(Query(document=DOCUMENT, offset=8, path="a.py"), Suggestion(suggestion_id, Span(8, 8), text))


def answer() -> types.InlineCompletionList:
    return conversions.inline_items(DOCUMENT, [SHOWN], Encoding.UTF16)


def test_what_has_grown_comes_after_its_answer() -> None:
    sent: list[tuple[str, Any]] = []
    notifier = GrowthNotifier(lambda method, params: sent.append((method, params)))
    notifier.grew(grown("first + "))
    notifier.grew(grown("first + second"))
    assert sent == []
    notifier.answered(answer())
    notifier.grew(grown("first + second + third"))
    document = {"uri": "file:///a.py", "version": 3}
    assert sent == [
        (GREW, {"textDocument": document, "itemId": "an id", "text": text})
        for text in ("first + second", "first + second + third")
    ]


def test_what_was_never_answered_is_not_told() -> None:
    sent: list[object] = []
    notifier = GrowthNotifier(lambda *told: sent.append(told))
    notifier.grew(grown("first + second", "another id"))
    notifier.answered(answer())
    assert sent == []


class Listening(Client):
    """Keeps the answers and what is told of them, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__()
        self.grown: list[tuple[str, int, str]] = []

        self.feature(GREW)(lambda params: self.on_growth(params))

    def on_growth(self, params: Any) -> None:
        self.grown.append((params.itemId, params.textDocument.version, params.text))

    async def whole(self, text: str) -> None:
        async with asyncio.timeout(20):
            while not self.grown or self.grown[-1][2] != text:
                await asyncio.sleep(0.01)


async def test_a_suggestion_grows_until_it_is_whole() -> None:
    client = Listening()
    async with serving({"growsSuggestions": True}, command=command(BEGUN + REST), client=client):
        client.open(BEGUN)
        (item,) = await client.complete(len(BEGUN))
        assert item.command is not None
        assert item.command.arguments
        await client.whole(REST)
        texts = [str(item.insert_text), *(text for _, _, text in client.grown)]
        assert all(after.startswith(before) for before, after in pairwise(texts))
        assert {(one, version) for one, version, _ in client.grown} == {(item.command.arguments[0], 1)}
        assert len(texts) > 2


async def test_clients_that_do_not_ask_for_it_hear_nothing() -> None:
    client = Listening()
    async with serving(command=command(BEGUN + REST), client=client):
        client.open(BEGUN)
        await client.complete(len(BEGUN))
        await asyncio.sleep(2)
        assert client.grown == []


async def test_a_text_typed_otherwise_is_not_told_of_again() -> None:
    client = Listening()
    async with serving({"growsSuggestions": True}, command=command(BEGUN + REST), client=client):
        client.open(BEGUN)
        await client.complete(len(BEGUN))
        client.type(len(BEGUN), "9")
        assert await client.complete(len(BEGUN) + 1) == []
        told = len(client.grown)
        await asyncio.sleep(1)
        assert len(client.grown) == told
