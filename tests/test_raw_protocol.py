"""What reaches the server byte by byte: framing, messages that are none, and an editor that ends without a word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.raw_protocol import COMMAND, EXIT, INITIALIZE, INITIALIZED, SHUTDOWN, initialize, message, serve


@pytest.mark.parametrize("stdin", [b"", INITIALIZE, INITIALIZE + INITIALIZED])
def test_the_end_of_input_ends_the_server_quietly(tmp_path: Path, stdin: bytes) -> None:
    done = serve(stdin, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, b"")


def test_stdio_is_accepted(tmp_path: Path) -> None:
    done = serve(INITIALIZE + SHUTDOWN + EXIT, "--stdio", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


LOST = "what follows cannot be told apart, so the server leaves"


def bodies(stdout: bytes) -> list[Any]:
    return [json.loads(part.partition(b"\r\n\r\n")[2]) for part in stdout.split(b"Content-Length:")[1:]]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "a line that is no header", id="another protocol"),
        pytest.param(b"Content-Length: -5\r\n\r\n", "no number of bytes", id="a negative length"),
        pytest.param(b"Content-Length: 0\r\n\r\n", "no number of bytes", id="no length"),
        pytest.param(b"Content-Length: 99999999999999\r\n\r\n", "no number of bytes", id="a length beyond memory"),
        pytest.param(b"Content-Length: 10\r\n\r\n" + b"x" * 50 + b"\r\n", "a line that is no header", id="too short"),
        pytest.param(b"x" * 1_000_000, "a line that is no header", id="a line without an end"),
    ],
)
def test_where_framing_is_lost_the_server_says_so_and_leaves(tmp_path: Path, sent: bytes, said: str) -> None:
    done = serve(INITIALIZE + sent + SHUTDOWN + EXIT, cwd=tmp_path)
    *_, last = done.stderr.decode().splitlines()
    assert said in last
    assert last.endswith(LOST)
    assert done.returncode == 1


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("content-length: %d\r\n\r\n", id="lower case"),
        pytest.param("Content-Length:%d\r\n\r\n", id="no blank"),
        pytest.param("Content-Length: %d\n\n", id="LF alone"),
        pytest.param("Content-Type: application/vscode-jsonrpc\r\nContent-Length: %d\r\n\r\n", id="two headers"),
    ],
)
def test_headers_are_read_in_any_form(tmp_path: Path, header: str) -> None:
    sent = [part.partition(b"\r\n\r\n")[2] for part in (INITIALIZE, SHUTDOWN, EXIT)]
    done = serve(b"".join(header.encode() % len(body) + body for body in sent), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("sent", "code", "answered"),
    [
        pytest.param(b"{no json", -32700, None, id="no JSON"),
        pytest.param(b"\xff\xfe", -32700, None, id="no UTF-8"),
        pytest.param(b"[" * 200_000, -32700, None, id="too deep"),
        pytest.param(b"null", -32600, None, id="null"),
        pytest.param(b'[{"jsonrpc": "2.0", "id": 5, "method": "shutdown"}]', -32600, None, id="a batch"),
        pytest.param(b'{"id": 5, "method": "shutdown"}', -32600, 5, id="no version"),
        pytest.param(b'{"jsonrpc": "2.0", "id": {}, "method": "shutdown"}', -32600, None, id="an id that is no id"),
        pytest.param(b'{"jsonrpc": "2.0", "id": true, "method": "shutdown"}', -32600, None, id="an id of true"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 5, "method": 7}', -32600, 5, id="a method that is a number"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 5}', -32600, 5, id="neither request nor response"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 5, "method": "initialize", "params": {}}', -32600, 5, id="twice"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 5, "method": "no/such"}', -32601, 5, id="an unknown method"),
        pytest.param(
            b'{"jsonrpc": "2.0", "id": 5, "method": "textDocument/inlineCompletion", "params": 3}',
            -32602,
            5,
            id="parameters that are none",
        ),
    ],
)
def test_what_is_no_request_is_answered_with_its_error(
    tmp_path: Path, sent: bytes, code: int, answered: int | None
) -> None:
    later = message(b'{"jsonrpc": "2.0", "id": 8, "method": "no/such/method"}')
    done = serve(INITIALIZE + INITIALIZED + message(sent) + later, cwd=tmp_path)
    errors = [(one["id"], one["error"]) for one in bodies(done.stdout) if "error" in one]
    assert [(told, error["code"]) for told, error in errors] == [(answered, code), (8, -32601)]
    assert "data" not in errors[0][1]


def test_before_initialize_requests_are_refused_and_notifications_dropped(tmp_path: Path) -> None:
    early = message(b'{"jsonrpc": "2.0", "id": 3, "method": "textDocument/inlineCompletion", "params": {}}')
    done = serve(early + INITIALIZED + INITIALIZE, cwd=tmp_path)
    first, second = bodies(done.stdout)[:2]
    assert (first["id"], first["error"]["code"]) == (3, -32002)
    assert (second["id"], "result" in second) == (1, True)


def test_an_object_that_looks_like_a_message_is_a_parameter_like_others(tmp_path: Path) -> None:
    inner = {"jsonrpc": "2.0", "id": 77, "method": "shutdown"}
    options = {"capabilities": {}, "processId": None, "initializationOptions": {"other": inner}}
    sent = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": options}
    done = serve(message(json.dumps(sent).encode()), cwd=tmp_path)
    assert [one["id"] for one in bodies(done.stdout) if "id" in one] == [1]


@pytest.mark.parametrize("is_there", [True, False], ids=["it ends", "it was never there"])
def test_the_server_does_not_outlive_its_editor(tmp_path: Path, is_there: bool) -> None:
    """The editor ends without a word, and another process that has stdin keeps it open."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as editor:
        check_watched(editor, tmp_path, is_there=is_there)


def check_watched(editor: subprocess.Popen[bytes], cwd: Path, *, is_there: bool) -> None:
    if not is_there:
        editor.kill()
        editor.wait()
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(initialize(editor.pid))
        server.stdin.flush()
        assert server.stdout.readline().startswith(b"Content-Length")
        if is_there:
            assert server.poll() is None
            editor.kill()
            editor.wait()
            assert server.wait(30) == 1
            assert server.stderr is not None
            assert b"the editor has ended" in server.stderr.read()
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(4)
            server.kill()
