"""The host's HTTP door: our own client gets the answers of an engine in this process, and nobody else gets in."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from codegemma_lsp import engines
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.door import guard
from codegemma_lsp.engines.host.door.address import DoorRefused, Listen, parse_listen
from codegemma_lsp.engines.host.door.connections import first_to_leave
from codegemma_lsp.engines.host.door.guard import refusal_of
from codegemma_lsp.engines.host.door.key import door_key
from codegemma_lsp.engines.host.door.listening import Listener, Options, check
from codegemma_lsp.engines.host.door.metrics import Metrics
from codegemma_lsp.engines.host.door.running import held_back
from codegemma_lsp.engines.host.place import FOLDER_VARIABLE
from codegemma_lsp.engines.protocol import ModelNotFound, Priority, Progress, Request
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.models import model_path
from codegemma_lsp.prompt import Prompt, Special, Text
from codegemma_lsp.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
SOURCE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret"
NAME = "nano"
MOST = 990
"""About as many tokens as fit the model's context after SOURCE."""


@dataclass(frozen=True)
class Door:
    """An open door, and its key."""

    url: str
    key: str
    folder: Path
    pid: int

    def client(self, **headers: str) -> httpx.Client:
        given = {"Authorization": f"Bearer {self.key}", **headers}
        return httpx.Client(base_url=self.url, headers=given, timeout=120, trust_env=False)

    def post(self, path: str, **body: Any) -> Any:
        with self.client() as asked:
            return asked.post(path, json={"model": NAME, **body})

    def complete(self, **body: Any) -> dict[str, Any]:
        answer = self.post("/v1/completions", temperature=0, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def metric(self, name: str) -> float:
        with self.client() as asked:
            text = asked.get("/metrics").text
        return float(next(line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(name)))


@contextmanager
def opened(folder: Path, *options: str) -> Iterator[Door]:
    command = [sys.executable, "-m", "codegemma_lsp", "host", *options]
    environment = {**os.environ, FOLDER_VARIABLE: str(folder), "CODEGEMMA_THREADS": "1", "COLUMNS": "500"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as host:
        try:
            assert host.stderr is not None
            said = ""
            while (found := re.search(r"HTTP at (\S+); the key is in (.+)", said)) is None:
                line = host.stderr.readline()
                assert line, said
                said += line
            threading.Thread(target=host.stderr.read, daemon=True).start()
            yield Door(found[1], Path(found[2].strip()).read_text("ascii").strip(), folder, host.pid)
        finally:
            host.send_signal(signal.SIGTERM)
            assert host.wait(30) == 0


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door") / "host", "--listen", "127.0.0.1:0") as found:
        yield found


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ids_of(engine: LlamaEngine, text: str = SOURCE) -> list[int]:
    return engine.tokenizer.tokens(Prompt(segments=(Special.BOS, Text(text, "the file")), tokens=0))


def near(engine: LlamaEngine, ids: list[int], max_tokens: int) -> Progress:
    progress = Progress()
    prompt = Prompt(segments=(), tokens=len(ids), ids=tuple(ids))
    engine.run(Request(prompt=prompt, max_tokens=max_tokens, progress=progress))
    return progress


async def test_our_own_client_gets_what_an_engine_in_this_process_says(
    door: Door, engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEGEMMA_API_KEY", door.key)
    far = await asyncio.to_thread(engines.load, Settings(model=f"{door.url}#{NAME}"))
    try:
        assert far.name == NAME
        assert far.tokenizer.family == engine.tokenizer.family
        assert far.tokenizer.encode(SOURCE) == engine.tokenizer.encode(SOURCE)
        prompt = Prompt(segments=(Special.BOS, Text(SOURCE, "the file")), tokens=len(ids_of(engine)))
        for drafts in (0, 6):
            asked = Request(prompt=prompt, max_tokens=40, drafts=drafts)
            answer, wanted = await far.generate(asked), await engine.generate(asked)
            assert (answer.text, answer.finish, answer.ends) == (wanted.text, wanted.finish, wanted.ends)
            assert answer.logprobs == pytest.approx(wanted.logprobs, abs=0.01)
        chat = Request(prompt=prompt, max_tokens=3, priority=Priority.CHAT)
        assert (await far.generate(chat)).text
    finally:
        await asyncio.to_thread(far.close)


def test_greedy_tokens_are_the_same_whole_and_in_a_stream(door: Door, engine: LlamaEngine) -> None:
    ids = ids_of(engine)
    wanted = near(engine, ids, 30)
    whole = door.complete(prompt=ids, max_tokens=30, logprobs=1)
    choice = whole["choices"][0]
    assert choice["text"] == wanted.text
    assert "".join(choice["logprobs"]["tokens"]) == wanted.text
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(wanted.logprobs, abs=0.01)
    assert whole["usage"]["prompt_tokens"] == len(ids)
    assert whole["usage"]["completion_tokens"] == len(wanted.tokens)
    pieces = streamed(door, "/v1/completions", prompt=ids, max_tokens=30, temperature=0, logprobs=1)
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == wanted.text
    assert len(pieces) > 5
    assert pieces[-1]["choices"][0]["finish_reason"] == choice["finish_reason"]


def streamed(door: Door, path: str, **body: Any) -> list[dict[str, Any]]:
    with (
        door.client() as asked,
        asked.stream("POST", path, json={"model": NAME, "stream": True, **body}) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_a_text_is_a_prompt_too(door: Door, engine: LlamaEngine) -> None:
    assert door.complete(prompt=SOURCE, max_tokens=12)["choices"][0]["text"] == near(engine, ids_of(engine), 12).text


def test_a_stop_ends_the_answer_before_it(door: Door, engine: LlamaEngine) -> None:
    text = near(engine, ids_of(engine), 40).text
    stop = text[10:13]
    before = text[: text.index(stop)]
    found = door.complete(prompt=SOURCE, max_tokens=40, stop=stop)["choices"][0]
    assert (found["text"], found["finish_reason"]) == (before, "stop")
    pieces = streamed(door, "/v1/completions", prompt=SOURCE, max_tokens=40, temperature=0, stop=["\0", stop])
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == before


def test_what_may_begin_a_stop_is_held_back() -> None:
    assert held_back(("abc", "ce"), "xab") == 2
    assert held_back(("abc", "ce"), "xabc") == 1
    assert held_back(("abc",), "x") == 0
    assert held_back((), "abc") == 0


def test_equal_seeds_give_equal_answers(door: Door) -> None:
    def said(**more: Any) -> str:
        answer = door.post("/v1/completions", prompt=SOURCE, max_tokens=30, temperature=1.5, **more)
        return str(answer.json()["choices"][0]["text"])

    assert said(seed=3) == said(seed=3)
    assert len({said(), said(), said(seed=3)}) > 1


def test_a_conversation_is_streamed(door: Door) -> None:
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Add two numbers."}]
    pieces = streamed(
        door,
        "/v1/chat/completions",
        messages=messages,
        max_tokens=12,
        temperature=0,
        stream_options={"include_usage": True},
    )
    assert pieces[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces if piece["choices"])
    usage = pieces[-1]["usage"]
    assert 0 < usage["completion_tokens"] <= 12
    whole = door.post("/v1/chat/completions", messages=messages, max_tokens=12, temperature=0).json()
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": text}
    assert whole["usage"]["prompt_tokens"] == usage["prompt_tokens"]


def test_tokens_and_texts(door: Door, engine: LlamaEngine) -> None:
    counted = door.post("/tokenize", prompt=SOURCE).json()
    assert counted["tokens"] == ids_of(engine)
    assert counted["count"] == len(counted["tokens"])
    plain = door.post("/tokenize", prompt=SOURCE, add_special_tokens=False).json()["tokens"]
    assert door.post("/detokenize", tokens=plain).json() == {"prompt": SOURCE}


def test_it_says_what_it_has(door: Door) -> None:
    with door.client() as asked:
        assert asked.get("/health").json() == {"status": "ok"}
        (model,) = asked.get("/v1/models").json()["data"]
    assert (model["id"], model["max_model_len"], model["chat_max_model_len"]) == (NAME, 1024, 1024)
    generated = door.metric('codegemma_lsp_tokens_total{kind="generated"}')
    door.complete(prompt=SOURCE, max_tokens=7)
    assert door.metric('codegemma_lsp_tokens_total{kind="generated"}') == generated + 7
    assert door.metric("codegemma_lsp_engines ") >= 1
    assert door.metric("codegemma_lsp_memory_bytes ") > 1e7
    assert door.metric("codegemma_lsp_waiting ") == 0
    assert door.metric('codegemma_lsp_requests_total{path="/v1/completions",status="200"}') >= 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_its_generation(door: Door, stream: bool) -> None:
    kind = 'codegemma_lsp_tokens_total{kind="generated"}'
    before = door.metric(kind)
    body = {"model": NAME, "prompt": SOURCE, "max_tokens": 1900, "temperature": 0, "stream": stream}
    text = json.dumps(body).encode()
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {door.key}\r\n"
        connection.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        until(lambda: door.metric("codegemma_lsp_waiting ") == 1)
        if stream:
            assert connection.recv(100)
    until(lambda: door.metric("codegemma_lsp_waiting ") == 0)
    assert door.metric(kind) - before < MOST, "it was cancelled"
    assert door.complete(prompt=SOURCE, max_tokens=1)["choices"]


def test_windows_use_the_engine_between_a_clients_tokens(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long generation of a client makes way for a window's, and then goes on as if nothing had been."""
    long = {"prompt": SOURCE, "max_tokens": 700}
    alone = door.complete(**long)["choices"][0]["text"]
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(door.complete(**long)["choices"][0]["text"]))
    asking.start()
    until(lambda: door.metric("codegemma_lsp_waiting ") == 1)
    shorts = 0
    while asking.is_alive() and shorts < 3:
        door.complete(prompt="x = ", max_tokens=1)
        shorts += asking.is_alive()
    asking.join()
    assert answers == [alone]
    assert shorts >= 1


REFUSED = [
    pytest.param({"Authorization": "Bearer wrong"}, 401, id="wrong key"),
    pytest.param({"Authorization": ""}, 401, id="no key"),
    pytest.param({"Host": "evil.example"}, 403, id="rebound name"),
    pytest.param({"Host": "evil.example:80"}, 403, id="rebound name with a port"),
    pytest.param({"Host": "127.0.0.1.evil.example"}, 403, id="a name that begins well"),
    pytest.param({"Origin": "http://127.0.0.1"}, 403, id="a page of this machine"),
    pytest.param({"Origin": "null"}, 403, id="a page of nowhere"),
    pytest.param({"Host": "localhost:9000"}, 200, id="through a tunnel"),
    pytest.param({"Host": "[::1]:9000"}, 200, id="IPv6"),
]


@pytest.mark.parametrize(("headers", "status"), REFUSED)
@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/models"])
def test_who_may_enter(door: Door, headers: dict[str, str], status: int, path: str) -> None:
    with door.client(**headers) as asked:
        answer = asked.get(path)
    assert answer.status_code == status
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert door.key not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer k")],
        [(b"host", b"localhost"), (b"host", b"localhost"), (b"authorization", b"Bearer k")],
        [(b"host", b"localhost"), (b"authorization", b"Bearer k"), (b"authorization", b"Bearer k")],
        [(b"host", b"localhost"), (b"authorization", b"bearer\xff k")],
    ],
)
def test_headers_that_are_missing_or_there_twice(headers: list[tuple[bytes, bytes]]) -> None:
    assert refusal_of(headers, "k", frozenset({"localhost"})) is not None
    assert refusal_of([(b"host", b"LocalHost"), (b"authorization", b"Bearer k")], "k", frozenset({"localhost"})) is None


@pytest.mark.parametrize(
    "model", ["/etc/passwd", "../nano", "nano.gguf", "http://127.0.0.1#x", "codegemma-2b", "auto", "nanO", "\u2028"]
)
def test_only_a_models_name_of_the_catalogue_is_served(door: Door, model: str) -> None:
    answer = door.post("/v1/completions", prompt="x", model=model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_the_path_of_a_model_is_refused(door: Door, engine: LlamaEngine) -> None:
    assert model_path(NAME).is_file()
    assert door.post("/v1/completions", prompt="x", model=str(model_path(NAME))).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"prompt": "x", "max_tokens": -1}, "max_tokens"),
        ({"prompt": [10**9]}, "no token"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": []}, "empty"),
        ({"prompt": "x", "n": 2}, "n:"),
        ({"prompt": "x", "temperature": "hot"}, "temperature"),
        ({"prompt": "x", "stop": [""]}, "stop"),
        ({"prompt": "x", "stop": ["a"] * 17}, "stop"),
        ({}, "prompt"),
        ({"prompt": "x" * 600_000}, "context size"),
        ({"prompt": [5] * 5000}, "context"),
    ],
)
def test_what_makes_no_sense_is_refused(door: Door, body: dict[str, Any], words: str) -> None:
    answer = door.post("/v1/completions", **body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert door.metric("codegemma_lsp_waiting ") == 0


@pytest.mark.parametrize("messages", [[], [{"role": "assistant", "content": "x"}], [{"role": "tool", "content": "x"}]])
def test_a_conversation_without_a_question_is_refused(door: Door, messages: list[Any]) -> None:
    assert door.post("/v1/chat/completions", messages=messages).status_code == 400


USER, ASSISTANT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}
SYSTEM = {"role": "system", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([USER, USER], "out_of_turn"),
        ([ASSISTANT, USER], "out_of_turn"),
        ([SYSTEM, SYSTEM, USER], "out_of_turn"),
        ([{"role": "user", "content": "x " * 3000}], "exceed_context_size"),
    ],
)
def test_why_a_conversation_cannot_go_on(door: Door, messages: list[Any], code: str) -> None:
    answer = door.post("/v1/chat/completions", messages=messages)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_bodies_have_a_limit(door: Door) -> None:
    with door.client() as asked:
        assert asked.post("/v1/completions", content=b"x" * 2_100_000).status_code == 413
        chunks = (b"x" * 100_000 for _ in range(40))
        assert asked.post("/v1/completions", content=chunks).status_code == 413


def test_too_many_requests_are_refused(door: Door) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(door.post("/v1/completions", prompt=SOURCE, max_tokens=100, temperature=1.5).status_code)

    threads = [threading.Thread(target=ask) for _ in range(44)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 32


def silent(door: Door) -> socket.socket:
    host, port = door.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_silent_connections_keep_nobody_out(door: Door) -> None:
    with ExitStack() as stack:
        with door.client() as kept:
            assert kept.get("/health").status_code == 200
            first = stack.enter_context(silent(door))
            for at in range(300):
                stack.enter_context(silent(door))
                if at % 100 == 0:
                    assert kept.get("/health").status_code == 200
        assert [door.complete(prompt=SOURCE, max_tokens=1)["choices"] for _ in range(3)]
        with suppress(ConnectionError):
            assert first.recv(1) == b""


@pytest.mark.parametrize("head", ["", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_connection_must_send_a_request_in_time(door: Door, head: str) -> None:
    def takes_another() -> bool:
        time.sleep(0.2)
        try:
            connection.sendall(b"x")
        except ConnectionError:
            return False
        return True

    with silent(door) as connection:
        connection.sendall(head.encode())
        until(lambda: not takes_another())


def test_a_refused_request_ends_its_connection(door: Door) -> None:
    with silent(door) as connection:
        connection.sendall(b"POST /tokenize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n")
        said = b""
        while more := connection.recv(1000):
            said += more
        assert said.startswith(b"HTTP/1.1 401")


@dataclass(frozen=True)
class Quiet:
    """A connection without a request."""

    address: str
    since: float
    is_trusted: bool = False


def test_who_leaves_for_a_new_connection() -> None:
    flood = [Quiet("b", 3.0), Quiet("b", 2.0), Quiet("b", 4.0)]
    assert first_to_leave([Quiet("a", 1.0), *flood]) == 2
    assert first_to_leave([Quiet("b", 0.0, is_trusted=True), Quiet("a", 1.0), *flood]) == 3


async def test_only_requests_that_are_let_in_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_MOST_REQUESTS", 2)
    ends, statuses = asyncio.Event(), list[int]()

    async def app(_: Any, __: Any, send: Any) -> None:
        await ends.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    guarded = guard.Guard(app, frozenset(), "k", frozenset({"localhost"}), Metrics())

    def asked(key: bytes) -> asyncio.Task[None]:
        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + key)]
        scope = {"type": "http", "path": "/health", "headers": headers}
        return asyncio.create_task(guarded(scope, None, send))  # type: ignore[arg-type]

    tasks = [asked(key) for key in (b"wrong", b"wrong", b"k", b"k", b"k")]
    await asyncio.wait([tasks[0], tasks[1], tasks[4]])
    assert statuses == [401, 401, 503]
    ends.set()
    await asyncio.gather(*tasks)
    assert statuses == [401, 401, 503, 200, 200]


def test_no_other_path_is_there(door: Door) -> None:
    with door.client() as asked:
        for path in ("/", "/docs", "/openapi.json", "/v1/models/../../etc/passwd", "/v1/embeddings"):
            assert asked.get(path).status_code == 404
            assert f'path="{path}"' not in asked.get("/metrics").text
        assert asked.get("/v1/completions").status_code == 405


def test_the_key_is_the_users_alone(door: Door, tmp_path: Path) -> None:
    assert (door.folder / "door.key").stat().st_mode & 0o777 == 0o600
    assert len(door.key) >= 32
    first = door_key(tmp_path)
    assert door_key(tmp_path) == first != door.key
    (tmp_path / "door.key").chmod(0o644)
    with pytest.raises(DoorRefused, match="read by others"):
        door_key(tmp_path)
    (tmp_path / "door.key").unlink()
    (tmp_path / "door.key").symlink_to(door.folder / "door.key")
    with pytest.raises(DoorRefused, match="cannot be read"):
        door_key(tmp_path)


def test_it_is_the_host_of_windows_too(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(door.folder))
    status = client.status()
    assert status is not None
    assert status.pid == door.pid
    with closing(client.connect()._connection):
        until(lambda: door.metric("codegemma_lsp_windows ") == 1)
    until(lambda: door.metric("codegemma_lsp_windows ") == 0)


@pytest.mark.parametrize(
    "text", ["8080", "localhost", ":8080", "*:8080", "localhost:http", "localhost:99999", "localhost:-1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(DoorRefused, match="no address"):
        parse_listen(text)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "0", "0x0", "000.0.0.0", "0.0", "[::]", "[::0]", "[0:0::0]", "[::ffff:0:0]"]
)
def test_every_address_at_once_is_refused(host: str, tmp_path: Path) -> None:
    options = Options(listen=parse_listen(f"{host}:0"), allow_plain_http=True)
    with pytest.raises(DoorRefused, match="stands for all addresses"):
        Listener(options, tmp_path, Settings, 60.0)


def test_a_name_of_every_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(DoorRefused, match="everywhere stands for all addresses"):
        Listener(Options(listen=Listen("everywhere", 0), allow_plain_http=True), tmp_path, Settings, 60.0)


@pytest.mark.parametrize(
    ("text", "host", "is_loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", True),
        ("127.8.8.8:8080", "127.8.8.8", True),
        ("[::1]:8080", "::1", True),
        ("localhost:8080", "localhost", True),
        ("192.168.1.2:8080", "192.168.1.2", False),
        ("localhost.example.org:8080", "localhost.example.org", False),
    ],
)
def test_addresses(text: str, host: str, is_loopback: bool) -> None:
    listen = parse_listen(text)
    assert (listen.host, listen.port, listen.is_loopback) == (host, 8080, is_loopback)
    if is_loopback:
        check(Options(listen=listen))
        return
    with pytest.raises(DoorRefused, match="Others on the network"):
        check(Options(listen=listen))
    check(Options(listen=listen, allow_plain_http=True))


def test_a_certificate_needs_its_key_and_must_be_one(tmp_path: Path) -> None:
    listen, other = Listen("127.0.0.1", 0), tmp_path / "none.pem"
    with pytest.raises(DoorRefused, match="both"):
        check(Options(listen=listen, tls_cert=other))
    with pytest.raises(DoorRefused, match="cannot be used"):
        check(Options(listen=listen, tls_cert=other, tls_key=other))


def refused(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "codegemma_lsp", "host", *options]
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return " ".join(done.stderr.split())


def test_the_command_says_why_it_does_not_open(door: Door, tmp_path: Path) -> None:
    assert "no address to listen at" in refused(tmp_path / "host", "--listen", "nowhere")
    assert "--allow-plain-http" in refused(tmp_path / "host", "--listen", "192.0.2.1:8080")
    assert "Nothing can listen at" in refused(
        tmp_path / "host", "--listen", door.url.removeprefix("http://"), "--allow-plain-http"
    )
    with_usage = subprocess.run(
        [sys.executable, "-m", "codegemma_lsp", "host", "--allow-plain-http"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert with_usage.returncode == 2
    assert "belong to --listen" in " ".join(with_usage.stderr.split())


def test_it_replaces_the_host_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "host"))
    window = EngineProcess(client.connect)
    settings = Settings(model=str(model_path(NAME)), threads=1)
    with closing(engines.load(settings, process=window)):
        first = client.status()
        with opened(tmp_path / "host", "--listen", "127.0.0.1:0") as door:
            until(lambda: window.id is None)
            with closing(engines.load(settings, process=window)):
                now = client.status()
                assert first is not None
                assert now is not None
                assert now.pid == door.pid != first.pid
                assert now.windows == 1


_CERTIFY = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
    *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
)


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        [*_CERTIFY, "-keyout", str(key), "-out", str(certificate)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is missing")
    options = ("--listen", "localhost:0", "--tls-cert", str(certificate), "--tls-key", str(key))
    with opened(tmp_path / "host", *options) as door:
        assert door.url.startswith("https://localhost:")
        headers = {"Authorization": f"Bearer {door.key}"}
        with httpx.Client(
            verify=ssl.create_default_context(cafile=certificate), headers=headers, trust_env=False
        ) as asked:
            assert asked.get(f"{door.url}/health").status_code == 200
        with httpx.Client(trust_env=False) as asked, pytest.raises(httpx.TransportError):
            asked.get(door.url.replace("https", "http") + "/health")
        with socket.create_connection(("localhost", int(door.url.rpartition(":")[2])), timeout=45) as silent:
            assert silent.recv(1) == b"", "it is not waited for until the system's own limit of a minute"


async def test_our_own_client_is_told_which_models_there_are(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGEMMA_API_KEY", door.key)
    with pytest.raises(ModelNotFound, match=f"one of these after the #: {NAME}"):
        await asyncio.to_thread(engines.load, Settings(model=f"{door.url}#codegemma-2b"))
