"""Requests that are cancelled at random moments, while documents are typed in, closed and opened again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.trials.server import Server, serving
from scripts.trials.sources import excerpt
from scripts.trials.trial import Case, Trial, check, shown

_STEPS = 40
_DELAYS_S = (0.0, 0.0, 0.002, 0.01, 0.03, 0.1)
_CANCELLED = -32800
# The prompts have the name of the file, which is therefore the same each time.
_PROBES = (
    "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret",
    "import os\n\n\ndef read(path):\n    with open(path) as file:\n        ",
    "class Item:\n    def __init__(self, name, price):\n        self.name = ",
)


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    async with serving(folder) as server:
        expected = [
            await _answer(server, probe, f"file:///before/{number}/probe.py") for number, probe in enumerate(_PROBES)
        ]

        async def case(chance: random.Random) -> int:
            typist = _Typist(server, chance)
            for _ in range(_STEPS):
                await typist.step()
            await typist.finish()
            number = chance.randrange(len(_PROBES))
            answer = await _answer(server, _PROBES[number], f"file:///after/{chance.random()}/probe.py")
            check(answer == expected[number], f"the answer is then {shown(answer)} and not {shown(expected[number])}")
            return typist.cancels

        yield case


async def _answer(server: Server, text: str, uri: str) -> Any:
    server.notify("textDocument/didOpen", {"textDocument": _item(uri, text)})
    lines = text.split("\n")
    answer = await server.ask("textDocument/inlineCompletion", _params(uri, len(lines) - 1, len(lines[-1]), 1))
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    check("result" in answer, f"an undisturbed request was answered with {shown(answer)}")
    return [item["insertText"] for item in answer["result"]["items"]]


def _item(uri: str, text: str) -> dict[str, object]:
    return {"uri": uri, "languageId": "python", "version": 1, "text": text}


def _params(uri: str, line: int, character: int, kind: int) -> dict[str, object]:
    position = {"line": line, "character": character}
    return {"textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": kind}}


@dataclass
class _Typist:
    """Somebody at a few documents, who has no patience. ``cancels`` counts what was sent to cancel requests."""

    server: Server
    chance: random.Random
    cancels: int = 0
    asked: list[str] = field(default_factory=list)
    _texts: dict[str, list[str]] = field(default_factory=dict)
    _waiting: list[asyncio.Task[None]] = field(default_factory=list)

    async def step(self) -> None:
        uri = f"file:///case/{self.chance.randrange(3)}.py"
        if uri not in self._texts:
            self._open(uri)
        kind = self.chance.random()
        if kind < 0.06:
            self._close(uri)
        elif kind < 0.4:
            self._type(uri)
        else:
            self._ask(uri)
        if (delay := self.chance.choice(_DELAYS_S)) or kind > 0.9:
            await asyncio.sleep(delay)

    def _open(self, uri: str) -> None:
        _, text = excerpt(self.chance, 60, "python")
        self._texts[uri] = text.split("\n")
        self.server.notify("textDocument/didOpen", {"textDocument": _item(uri, text)})

    def _close(self, uri: str) -> None:
        del self._texts[uri]
        self.server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def _type(self, uri: str) -> None:
        lines = self._texts[uri]
        line = self.chance.randrange(len(lines))
        at, key = self.chance.randint(0, len(lines[line])), self.chance.choice("aeinrst.(= ")
        lines[line] = lines[line][:at] + key + lines[line][at:]
        place = {"line": line, "character": at}
        change = {"range": {"start": place, "end": place}, "text": key}
        params = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}
        self.server.notify("textDocument/didChange", params)

    def _ask(self, uri: str) -> None:
        lines = self._texts[uri]
        line = self.chance.randrange(len(lines))
        params = _params(uri, line, len(lines[line]), self.chance.choice([1, 2]))
        number = self.server.request("textDocument/inlineCompletion", params)
        self.asked.append(number)
        if self.chance.random() < 0.85:
            self.cancels += 1
            self._waiting.append(asyncio.create_task(self._cancel(number, self.chance.choice(_DELAYS_S))))

    async def _cancel(self, number: str, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        self.server.notify("$/cancelRequest", {"id": number})

    async def finish(self) -> None:
        """Every request is answered once, and the server comes to rest."""
        await asyncio.gather(*self._waiting)
        for number in self.asked:
            answer = await self.server.answer(number)
            code = answer.get("error", {}).get("code", _CANCELLED)
            check(code == _CANCELLED, f"a request was answered with {shown(answer)}")
        for uri in list(self._texts):
            self._close(uri)
        async with asyncio.timeout(20):
            while not (await self.server.ask("codegemma/state", {}))["result"]["engine"]["idle"]:
                await asyncio.sleep(0.02)
        twice = [number for number in self.asked if len(self.server.answers[number]) != 1]
        check(not twice, f"{len(twice)} requests were answered more than once")
        for number in self.asked:
            del self.server.answers[number]


TRIAL = Trial(
    name="cancels",
    about="cancelled at any moment: one answer, rest, right again",
    unit="cancels",
    weight=115,
    prepared=_prepared,
)
