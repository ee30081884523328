"""Requests that wait for a model to be loaded, without a socket and without a model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from codegemma_lsp.engines.host.door.app import Door
from codegemma_lsp.engines.host.door.lending import Served
from codegemma_lsp.engines.protocol import LoadCancelled

PATHS = ["/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"]


class Tokenizer:
    """Has one token."""

    pieces = (b"x",)

    def piece(self, token: int) -> bytes:
        return self.pieces[token]


class Engine:
    """An engine of which only the tokens are asked for."""

    tokenizer = Tokenizer()
    context_tokens = 10


@dataclass
class SlowLender:
    """Loads until it may end or is given up. ``users`` counts those who have not put their engine back."""

    may_end: threading.Event = field(default_factory=threading.Event)
    loads: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    users: int = 0

    def take(self, name: str, given_up: threading.Event, *, chats: bool = False) -> Engine:
        self.loads.append(name)
        while not self.may_end.wait(0.01):
            if given_up.is_set():
                self.given_up.append(name)
                raise LoadCancelled("Loading was given up.")
        self.users += 1
        return Engine()

    def take_again(self, _: Engine) -> None:
        self.users += 1

    def put(self, _: Engine) -> None:
        self.users -= 1

    def models(self) -> list[Served]:
        return [Served(name="a", context_tokens=10, chat_context_tokens=20)]


@dataclass
class Client:
    """Asks an application. Setting ``leaves`` ends the connection."""

    app: Any
    leaves: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, path: str, method: str = "POST", model: str = "a") -> tuple[int, Any]:
        """Returns the status and what the body says."""
        fields = {"model": model, "prompt": "x", "tokens": [0], "messages": [{"role": "user", "content": "x"}]}
        messages, said = iter([{"type": "http.request", "body": json.dumps(fields).encode()}]), list[Any]()

        async def receive() -> dict[str, Any]:
            if (message := next(messages, None)) is not None:
                return message
            await self.leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
        await self.app(scope, receive, send)
        return said[0]["status"], json.loads(said[1]["body"] or b"null")


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[SlowLender, Any]]:
    lender = SlowLender()
    door = Door(pool=cast(Any, None), lender=cast(Any, lender), gauges=dict)
    try:
        async with asyncio.timeout(60):
            yield lender, door.app()
    finally:
        lender.may_end.set()


async def until_loads(lender: SlowLender, count: int) -> None:
    while len(lender.loads) < count:
        await asyncio.sleep(0.01)


async def test_slow_loads_delay_nothing_else() -> None:
    async with opened() as (lender, app):
        names = [f"m{n}" for n in range(32)]
        asking = [asyncio.create_task(Client(app).ask("/detokenize", model=name)) for name in names]
        await until_loads(lender, len(names))
        assert (await Client(app).ask("/v1/models", "GET"))[0] == 200
        assert not lender.may_end.is_set()
        lender.may_end.set()
        assert await asyncio.gather(*asking) == [(200, {"prompt": "x"})] * len(names)


async def test_requests_for_one_engine_share_a_load() -> None:
    async with opened() as (lender, app):
        asking = [asyncio.create_task(Client(app).ask("/detokenize")) for _ in range(9)]
        await until_loads(lender, 1)
        await asyncio.sleep(0.1)
        lender.may_end.set()
        assert await asyncio.gather(*asking) == [(200, {"prompt": "x"})] * 9
        assert lender.loads == ["a"]
        while lender.users:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", PATHS)
async def test_a_load_ends_when_the_last_client_has_left(path: str) -> None:
    async with opened() as (lender, app):
        clients = Client(app), Client(app)
        first, second = (asyncio.create_task(client.ask(path)) for client in clients)
        await until_loads(lender, 1)
        clients[0].leaves.set()
        assert (await first)[0] == 499
        await asyncio.sleep(0.1)
        assert not lender.given_up
        clients[1].leaves.set()
        assert (await second)[0] == 499
        while not lender.given_up:
            await asyncio.sleep(0.01)
        assert (lender.loads, lender.users) == (["a"], 0)


async def test_a_client_that_stays_gets_its_answer() -> None:
    async with opened() as (lender, app):
        leaver = Client(app)
        leaving, staying = (
            asyncio.create_task(leaver.ask("/tokenize")),
            asyncio.create_task(Client(app).ask("/detokenize")),
        )
        await until_loads(lender, 1)
        leaver.leaves.set()
        await leaving
        lender.may_end.set()
        assert await staying == (200, {"prompt": "x"})


@pytest.mark.parametrize("path", PATHS)
async def test_all_requests_for_a_model_are_counted(path: str) -> None:
    async with opened() as (lender, app):
        asking = [asyncio.create_task(Client(app).ask("/detokenize", model=f"m{n}")) for n in range(32)]
        await until_loads(lender, len(asking))
        assert (await Client(app).ask(path))[0] == 429
        lender.may_end.set()
        assert {status for status, _ in await asyncio.gather(*asking)} == {200}
