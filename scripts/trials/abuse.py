"""What no client should send: forged frames, headers, JSON, ids and parameters."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from scripts.trials.server import OPTIONS, Server, started
from scripts.trials.sources import ROOT
from scripts.trials.trial import Case, Trial, check, shown

_MESSAGES = 25
_URI = "file:///abused.py"
_PLACE = {"line": 0, "character": 3}
_RANGE = {"start": _PLACE, "end": {"line": 1, "character": 0}}
_DOCUMENT = {"uri": _URI}
_AT = {"textDocument": _DOCUMENT, "position": _PLACE}
_OPENED = {"uri": _URI, "languageId": "python", "version": 1, "text": "x = 1\nprint(x)\n"}
_REQUESTS: tuple[tuple[str, Any], ...] = (
    ("textDocument/inlineCompletion", {**_AT, "context": {"triggerKind": 2}}),
    ("textDocument/completion", _AT),
    ("textDocument/codeAction", {"textDocument": _DOCUMENT, "range": _RANGE, "context": {"diagnostics": []}}),
    ("workspace/executeCommand", {"command": "codegemma.accept", "arguments": ["an id"]}),
    ("codegemma/state", {}),
    ("codegemma/prompt", _AT),
    ("codegemma/edit", {"textDocument": _DOCUMENT, "range": _RANGE, "instruction": "shorter"}),
    ("initialize", {"capabilities": {}, "processId": None}),
    ("no/such/method", {}),
)
_NOTIFICATIONS: tuple[tuple[str, Any], ...] = (
    ("textDocument/didOpen", {"textDocument": _OPENED}),
    (
        "textDocument/didChange",
        {
            "textDocument": {"uri": _URI, "version": 2},
            "contentChanges": [{"range": _RANGE, "text": "y"}, {"text": "x = 2\n"}],
        },
    ),
    ("textDocument/didClose", {"textDocument": _DOCUMENT}),
    ("workspace/didChangeConfiguration", {"settings": {"codegemma": {"maxTokens": 8, "otherFilesExclude": ["a"]}}}),
    ("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": "file:///w", "name": "w"}], "removed": []}}),
    ("workspace/didChangeWatchedFiles", {"changes": [{"uri": _URI, "type": 2}]}),
    ("codegemma/didRest", _AT),
    ("codegemma/didShow", {"itemId": "an id"}),
    ("$/cancelRequest", {"id": 5}),
    ("$/setTrace", {"value": "verbose"}),
    ("window/workDoneProgress/cancel", {"token": "a"}),
    ("initialized", {}),
)
JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        -(2**63),
        2**70,
        1e308,
        0.5,
        "",
        "x",
        "\ud83d",
        "\x00",
        "file:///a\x00b",
    ),
    *("file://[", "untitled:a", "../../etc/passwd", "\U0001f600" * 50, "a" * 100_000, [], {}, [[]], {"a": {}}),
    *({"jsonrpc": "2.0", "id": 1, "method": "shutdown"}, [None] * 50, {"line": -1, "character": -1}, {"uri": 5}),
)

_Attack: TypeAlias = Callable[[random.Random, Server], None]


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    servers: list[Server] = []

    async def case(chance: random.Random) -> int:
        if not servers:
            servers.append(await _begun(folder))
        server = servers[0]
        for _ in range(_MESSAGES):
            _forged_message(chance, server)
        await _check_alive(server)
        if chance.random() < 0.3:
            servers.clear()
            await _lose_framing(chance, server)
        return _MESSAGES

    try:
        yield case
    finally:
        for server in servers:
            await server.kill()


async def _begun(folder: Path) -> Server:
    server = await started(folder)
    params = {"processId": None, "capabilities": {}, "initializationOptions": {**OPTIONS, "chatMaxTokens": 16}}
    await server.ask("initialize", params)
    server.notify("initialized", {})
    server.notify("textDocument/didOpen", {"textDocument": _OPENED})
    return server


async def _check_alive(server: Server) -> None:
    """Whatever came before, requests are answered, and no answer gives away what the server is made of."""
    answer = await server.ask("codegemma/state", {})
    check("result" in answer, f"the state is {shown(answer)}")
    for told in [one for answers in server.answers.values() for one in answers if "error" in one]:
        text = json.dumps(told)
        is_fine = "Traceback" not in text and str(ROOT) not in text and "site-packages" not in text
        check(is_fine, f"an error gives too much away: {shown(told)}")
        check(isinstance(told["error"].get("code"), int), f"an error has no code: {shown(told)}")
    server.answers.clear()


def _forged_message(chance: random.Random, server: Server) -> None:
    chance.choices([_wrong_values, _wrong_envelope, _wrong_body, _odd_headers], weights=[10, 3, 2, 1])[0](
        chance, server
    )


def _wrong_values(chance: random.Random, server: Server) -> None:
    server.send_body(json.dumps(_mutated(chance, _message(chance))).encode())


def _message(chance: random.Random) -> dict[str, Any]:
    method, params = chance.choice(_REQUESTS + _NOTIFICATIONS)
    message = {"jsonrpc": "2.0", "method": method, "params": copy.deepcopy(params)}
    if (method, params) in _REQUESTS or chance.random() < 0.1:
        message["id"] = chance.choice([chance.randrange(10**9), f"id {chance.random()}"])
    return message


def _mutated(chance: random.Random, message: dict[str, Any]) -> dict[str, Any]:
    """Returns the message with wrong values in its parameters, or without some."""
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        place: Any = message
        key: Any = "params"
        while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
            place = place[key]
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if isinstance(place, dict) and place is not message and chance.random() < 0.2:
            del place[key]
        else:
            place[key] = copy.deepcopy(chance.choice(JUNK))
    return message


def _wrong_envelope(chance: random.Random, server: Server) -> None:
    message = _message(chance)
    message[chance.choice(["id", "method", "jsonrpc", "result", "error"])] = copy.deepcopy(chance.choice(JUNK))
    if message.get("method") in ("exit", "shutdown"):
        return
    server.send_body(json.dumps([message] if chance.random() < 0.1 else message).encode())


def _wrong_body(chance: random.Random, server: Server) -> None:
    body = json.dumps(_message(chance)).encode()
    at = chance.randrange(len(body))
    kinds = [
        body[:at] or b"{",
        body[:at] + chance.randbytes(3) + body[at:],
        chance.randbytes(chance.randint(1, 200)),
        b"[" * chance.choice([10, 5000, 100_000]),
        b'{"a":' * chance.choice([10, 5000, 100_000]),
        body.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + body,
        b'{"jsonrpc": "2.0", "id": 1' + b"0" * 6000 + b', "method": "codegemma/state"}',
        b'{"jsonrpc": "2.0", "id": NaN, "method": "codegemma/state"}',
    ]
    server.send_body(chance.choice(kinds))


def _odd_headers(chance: random.Random, server: Server) -> None:
    """Headers that are unusual, and yet headers."""
    body = json.dumps({"jsonrpc": "2.0", "id": chance.randrange(10**9), "method": "codegemma/state"}).encode()
    headers = [
        b"content-length: %d\r\n\r\n",
        b"Content-Length:%d\r\n\r\n",
        b"CONTENT-LENGTH: %d\n\n",
        b"X-Other: a\r\nContent-Length: %d\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
    ]
    server.send_bytes(chance.choice(headers) % len(body) + body)


async def _lose_framing(chance: random.Random, server: Server) -> None:
    """What is no frame ends the server with 1, at the latest with its input."""
    raw = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % 10 ** chance.randint(10, 40),
        b"Content-Length: 10\r\n\r\n" + b"x" * chance.randint(11, 90),
        b"Content-Length: x\r\n\r\n",
        b"\r\n\r\n\r\n",
        chance.randbytes(chance.randint(1, 2000)),
        b"x" * 2_000_000,
        b"Content-Length: 100\r\n\r\n{",
        b"",
    ]
    server.send_bytes(chance.choice(raw))
    server.end_input()
    try:
        await server.wait(lambda: server.has_ended, "the server has not left after its input ended")
        status = await server.process.wait()
        check(status == 1, f"the server left with {status} where its input was no frame")
    finally:
        await server.kill()


TRIAL = Trial(
    name="abuse",
    about="forged frames, JSON, ids, values: answered, or left",
    unit="messages",
    weight=30,
    prepared=_prepared,
    case_s=120,
)
