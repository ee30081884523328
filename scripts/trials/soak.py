"""Typing for long at ten times a typist's speed: every request is answered, and memory does not grow."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from scripts.trials.server import Server, serving
from scripts.trials.sources import excerpt
from scripts.trials.trial import Case, Trial, check

_GAP_S = 0.02
"""The mean number of seconds between two keys. A fast typist's is ten times that."""
_KEYS = 300
_LEAST_S = 300.0
"""The seconds of a run from which growth is judged. The first half of a run fills caches."""
_MOST_GROWTH = 0.1
_MOST_GROWTH_BYTES = 20_000_000
"""Memory may grow by this share and these bytes in the second half of a run."""


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    samples: list[tuple[float, int]] = []
    async with serving(folder, savedPromptsMb=16) as server:

        async def case(chance: random.Random) -> int:
            await _type(server, chance)
            samples.append((time.monotonic(), _memory(server)))
            return _KEYS

        yield case
    _judge(samples)


async def _type(server: Server, chance: random.Random) -> None:
    """Types a part of a file into its beginning, key by key, and asks after each key."""
    uri, (sample, text) = f"file:///soak/{chance.randrange(4)}.py", excerpt(chance, 200, "python")
    item = {
        "uri": uri,
        "languageId": sample.language,
        "version": 1,
        "text": sample.text[: chance.randrange(4000)] + "\n",
    }
    server.notify("textDocument/didOpen", {"textDocument": item})
    line = item["text"].count("\n")
    character, asked = 0, []
    for number, key in enumerate((text * _KEYS)[:_KEYS]):
        place = {"line": line, "character": character}
        change = {"range": {"start": place, "end": place}, "text": key}
        document = {"uri": uri, "version": 2 + number}
        server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        line, character = (line + 1, 0) if key == "\n" else (line, character + len(key.encode("utf-16-le")) // 2)
        position = {"line": line, "character": character}
        params = {"textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": 2}}
        asked.append(server.request("textDocument/inlineCompletion", params))
        await asyncio.sleep(chance.expovariate(1 / _GAP_S))
    for number_ in asked:
        answer = await server.answer(number_)
        check("result" in answer and len(server.answers[number_]) == 1, f"a request was answered with {answer}")
        del server.answers[number_]
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def _memory(server: Server) -> int:
    """Returns the bytes that the server and its engines hold in memory."""
    processes = [psutil.Process(server.process.pid), *server.engines()]
    return sum(int(one.memory_info().rss) for one in processes)


def _judge(samples: Sequence[tuple[float, int]]) -> None:
    if not samples or samples[-1][0] - samples[0][0] < _LEAST_S:
        return
    middle = (samples[0][0] + samples[-1][0]) / 2
    late = [memory for at, memory in samples if at >= middle]
    quarter = max(1, len(late) // 4)
    before, after = max(late[:quarter]), min(late[-quarter:])
    most = before * (1 + _MOST_GROWTH) + _MOST_GROWTH_BYTES
    check(after <= most, f"memory grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB in the second half")


TRIAL = Trial(
    name="soak",
    about="typing at ten times the speed: answered, memory steady",
    unit="keys",
    weight=50,
    prepared=_prepared,
    case_s=120,
)
