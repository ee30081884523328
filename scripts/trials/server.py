"""The server as a process, with a client that keeps every answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from codegemma_lsp.settings.guarded import TRUST_VARIABLE
from scripts.trials.trial import Failed, check, shown

COMMAND = (sys.executable, "-m", "codegemma_lsp", "serve")
OPTIONS = {
    "model": "nano",
    "threads": 1,
    "minConfidence": -99,
    "answerWithinMs": 0,
    "firstWindowMs": 0,
    "maxTokens": 24,
    "alternatives": 0,
    "usage": False,
}
_PATIENCE_S = 60.0
"""The number of seconds within which anything is answered, on a busy machine."""
_MOST_READ = 2**26


class Server:
    """A server and its client. ``answers`` has all answers to each request, of which there must be one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.answers: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
        self.statuses: list[dict[str, Any]] = []
        self.unasked: list[dict[str, Any]] = []
        """Errors that answer no id."""
        self._news = asyncio.Condition()
        self._numbers = itertools.count()
        self.has_ended = False
        """Whether all that the server has written is read."""
        self._reader = asyncio.create_task(self._read())

    def send(self, message: dict[str, Any]) -> None:
        self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def send_body(self, body: bytes) -> None:
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send_bytes(self, raw: bytes) -> None:
        with suppress(OSError):
            self._stdin.write(raw)

    def end_input(self) -> None:
        with suppress(OSError):
            self._stdin.close()

    def notify(self, method: str, params: object) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, params: object) -> str:
        """Sends a request, and returns its id."""
        number = f"r{next(self._numbers)}"
        self.send({"id": number, "method": method, "params": params})
        return number

    async def ask(self, method: str, params: object) -> dict[str, Any]:
        """Returns the answer to a request. Raises ``Failed`` if there is none in time."""
        return await self.answer(self.request(method, params))

    async def answer(self, number: str | int) -> dict[str, Any]:
        """Returns the first answer to a request, and raises ``Failed`` if there is none in time."""
        await self.wait(lambda: bool(self.answers[number]), f"request {number} was not answered")
        return self.answers[number][0]

    async def wait(self, is_so: Any, problem: str, seconds: float = _PATIENCE_S) -> None:
        """Waits until something is so after a message. Raises ``Failed`` with the problem if time or the server
        ends."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: is_so() or self.has_ended)
        except TimeoutError:
            raise Failed(f"{problem} within {seconds:.0f} seconds") from None
        if not is_so():
            raise Failed(f"{problem}; the server has left with {await self.process.wait()}")

    async def ready(self, since: int = 0) -> None:
        """Waits until the model is loaded, by a status after the first ``since``."""
        await self.wait(
            lambda: any(status["message"].startswith("Ready") for status in self.statuses[since:]), "it was not ready"
        )

    async def _read(self) -> None:
        try:
            while (message := await self._message()) is not None:
                self._take(message)
                async with self._news:
                    self._news.notify_all()
        finally:
            self.has_ended = True
            async with self._news:
                self._news.notify_all()

    async def _message(self) -> dict[str, Any] | None:
        length = 0
        while (line := await self._stdout.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        if not line:
            return None
        message: dict[str, Any] = json.loads(await self._stdout.readexactly(length))
        return message

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self.answers[message.get("id")].append(message)
            if message.get("id") is None:
                self.unasked.append(message)
        elif "id" in message:
            self.send({"id": message["id"], "result": None})
        elif method == "didChangeStatus":
            self.statuses.append(message["params"])

    def engines(self) -> list[psutil.Process]:
        """Returns the processes of the server's engines."""
        with suppress(psutil.Error):
            children = psutil.Process(self.process.pid).children()
            return [one for one in children if "codegemma_lsp.engines.worker.process" in one.cmdline()]
        return []

    async def leave(self) -> None:
        """Ends the server as editors do. Raises ``Failed`` if it leaves otherwise than with 0."""
        await self.ask("shutdown", None)
        self.notify("exit", None)
        try:
            status = await asyncio.wait_for(self.process.wait(), _PATIENCE_S)
        except TimeoutError:
            raise Failed("the server did not leave after exit") from None
        check(status == 0, f"the server left with {status}")

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self._stdin.close()
        self._reader.cancel()


async def started(folder: Path) -> Server:
    """Returns a server that has been told nothing yet. What it logs goes to a file in the folder."""
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            cwd=folder,
            env={**os.environ, "PYTHONFAULTHANDLER": "1", "CODEGEMMA_SHARE_MODEL": "false", TRUST_VARIABLE: "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=_MOST_READ,
        )
    return Server(process)


async def initialized(folder: Path, **options: object) -> Server:
    """Returns a server with its model loaded."""
    server = await started(folder)
    params = {"processId": None, "rootUri": folder.as_uri(), "capabilities": {"window": {"workDoneProgress": True}}}
    await server.ask("initialize", {**params, "initializationOptions": {**OPTIONS, **options}})
    server.notify("initialized", {})
    await server.ready()
    return server


@asynccontextmanager
async def serving(folder: Path, **options: object) -> AsyncIterator[Server]:
    """A server with its model loaded, which must leave as it should, unless what was done with it has failed."""
    server = await initialized(folder, **options)
    try:
        yield server
        await server.leave()
        _check_log(folder / "log")
    finally:
        await server.kill()


def _check_log(log: Path) -> None:
    text = log.read_text("utf-8", "replace")
    check("Traceback" not in text, f"the log has a traceback: {shown(text[text.find('Traceback') :], 600)}")
