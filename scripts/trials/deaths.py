"""The engines' process is killed or stopped at random moments."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from scripts.trials.server import Server, serving
from scripts.trials.sources import excerpt
from scripts.trials.trial import Case, LeftOut, Trial, check, shown

_STOPS = 0.04
"""The share of stops. Each takes the 15 seconds after which the server counts the process as hung."""


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    if sys.platform == "win32":
        raise LeftOut("this system has no signals")
    async with serving(folder) as server:
        yield lambda chance: _case(chance, server)


async def _case(chance: random.Random, server: Server) -> int:
    uri, text = f"file:///death/{chance.random()}.py", excerpt(chance, 40, "python")[1]
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    server.notify("textDocument/didOpen", {"textDocument": item})
    asked = [_ask(server, uri, chance.randint(0, text.count("\n"))) for _ in range(chance.choice([0, 1, 1, 3]))]
    await asyncio.sleep(chance.choice([0, 0.01, 0.05, 0.2]) * chance.random())
    seen, pid = len(server.statuses), _pid(server)
    end = (
        signal.SIGSTOP if chance.random() < _STOPS else chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGABRT])
    )
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).send_signal(end)
    if end is signal.SIGSTOP:
        asked.append(_ask(server, uri, 0))
    await server.ready(seen)
    for number in asked:
        answer = await server.answer(number)
        check("result" in answer, f"a request was answered with {shown(answer)}")
    answer = await server.answer(_ask(server, uri, text.count("\n")))
    check("result" in answer, f"after the restart, a request was answered with {shown(answer)}")
    said = [status["message"] for status in server.statuses[seen:]]
    check(
        any("engine" in one and one.endswith("starts again.") for one in said),
        f"no sentence says what happened: {shown(said)}",
    )
    check(not any("Traceback" in one for one in said), f"a status has a traceback: {shown(said)}")
    state = (await server.ask("codegemma/state", {}))["result"]
    check([one["uri"] for one in state["documents"]] == [uri], f"the documents are {shown(state['documents'])}")
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return 1


def _pid(server: Server) -> int:
    engines = server.engines()
    check(len(engines) == 1, f"there are {len(engines)} processes of engines")
    return engines[0].pid


def _ask(server: Server, uri: str, line: int) -> str:
    position = {"line": line, "character": 10_000}
    context = {"triggerKind": 1}
    params = {"textDocument": {"uri": uri}, "position": position, "context": context}
    return server.request("textDocument/inlineCompletion", params)


TRIAL = Trial(
    name="deaths",
    about="engines killed, aborted, stopped: said, then answers",
    unit="deaths",
    weight=55,
    prepared=_prepared,
    case_s=120,
)
