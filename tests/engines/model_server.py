"""A server that plays llama-server, vLLM, Ollama, or one that has nothing but OpenAI's interface."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from codegemma_lsp.prompt import CODEGEMMA

NAME = "codegemma-2b"
_SPECIAL = {text: CODEGEMMA.ids[special] for special, text in CODEGEMMA.texts.items()}
_SPELLED = re.compile("|".join(map(re.escape, _SPECIAL)))
BYTE = 1000
"""What is added to a byte to make it a token."""


@dataclass
class ModelServer:
    """What the server does, and what it was asked. ``refusals``: for each generation in turn (status, type, body) in
    place of an answer; ``unready``: the same for all but the list of models; ``broken``: how many generations end
    without their end; ``error``: a line in place of the end; ``waits``: whether it waits for the client to leave after
    the first piece; ``is_mute``: whether it then says nothing at all; ``left``: set when a client has left."""

    kind: str = "llama"
    names: list[str] = field(default_factory=lambda: [NAME])
    pieces: list[str] = field(default_factory=lambda: ["a", " + ", "b"])
    finish: str = "stop"
    context: int = 4096
    chat_context: int = 0
    template: str = ""
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    listing: tuple[int, str, str] | None = None
    unready: tuple[int, str, str] | None = None
    broken: int = 0
    error: str = ""
    waits: bool = False
    is_mute: bool = False
    left: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    url: str = ""

    def prompt(self) -> str:
        """The last prompt, with its special tokens between ⟦ ⟧."""
        prompt = self.bodies[-1]["prompt"]
        if isinstance(prompt, str):
            return _SPELLED.sub(lambda match: f"⟦{match[0]}⟧", prompt)
        names = {token: f"⟦{text}⟧".encode() for text, token in _SPECIAL.items()}
        return b"".join(names.get(token) or bytes([token - BYTE]) for token in prompt).decode()


def tokens_of(content: str | list[str | int]) -> list[int]:
    """The tokens of a text in which special tokens are always recognised, as some models' are."""
    if isinstance(content, list):
        return [token for one in content for token in ([one] if isinstance(one, int) else tokens_of(one))]
    found, at = [], 0
    for match in _SPELLED.finditer(content):
        found += [*(byte + BYTE for byte in content[at : match.start()].encode()), _SPECIAL[match[0]]]
        at = match.end()
    return found + [byte + BYTE for byte in content[at:].encode()]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_: ModelServer

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that was cancelled
            super().handle()

    def do_GET(self) -> None:
        server = self.server_
        self._note()
        more = {"max_model_len": server.context} if server.kind == "vllm" else {}
        if server.chat_context:
            more["chat_max_model_len"] = server.chat_context
        answers: dict[str, dict[str, Any]] = {"/v1/models": {"data": [{"id": name, **more} for name in server.names]}}
        if server.kind == "llama":
            answers["/props"] = {"bos_token": "<bos>", "chat_template": server.template}
            answers["/props"]["default_generation_settings"] = {"n_ctx": server.context}
        if server.kind == "ollama":
            answers["/api/version"] = {"version": "0.12"}
        if self.path == "/v1/models" and server.listing is not None:
            self._answer(*server.listing)
        elif self.path != "/v1/models" and server.unready is not None:
            self._answer(*server.unready)
        else:
            self._json(answers.get(self.path))

    def do_POST(self) -> None:
        server = self.server_
        self._note()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if server.unready is not None:
            self._answer(*server.unready)
        elif self.path == "/tokenize":
            self._json(self._tokens(body))
        elif self.path in self._generating():
            waits = server.waits
            server.bodies.append(body)
            server.asked.set()
            if server.refusals:
                self._answer(*server.refusals.pop(0))
            else:
                self._stream(waits)
        else:
            self._json(None)

    def _generating(self) -> tuple[str, str]:
        return "/api/generate" if self.server_.kind == "ollama" else "/v1/completions", "/v1/chat/completions"

    def _note(self) -> None:
        self.server_.paths.append(self.path)
        self.server_.keys.add(self.headers["Authorization"])

    def _tokens(self, body: dict[str, Any]) -> dict[str, Any] | None:
        kind = self.server_.kind
        content = body.get("content") if kind == "llama" else body.get("prompt") if kind == "vllm" else None
        if content is None:
            return None
        begun = body.get("add_special") or body.get("add_special_tokens")
        return {"tokens": [*([2] if begun else []), *tokens_of(content)]}

    def _json(self, found: dict[str, Any] | None) -> None:
        self._answer(200 if found is not None else 404, "application/json", json.dumps(found or {"error": "none"}))

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _stream(self, waits: bool) -> None:
        server = self.server_
        if server.is_mute:
            self._wait_for_end()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in server.pieces:
                self._line(self._event(piece))
                if waits:
                    self._wait_for_end()
                    return
            self._finish()
        except OSError:
            self.close_connection = True
            server.left.set()

    def _finish(self) -> None:
        server = self.server_
        if server.broken:
            server.broken -= 1
            self.close_connection = True
            return
        for line in [server.error] if server.error else self._end():
            self._line(line)
        self.wfile.write(b"0\r\n\r\n")

    def _wait_for_end(self) -> None:
        """Reads from a client that has nothing more to say, until it leaves."""
        self.close_connection = True
        with suppress(OSError):
            while self.connection.recv(1):
                pass
        self.server_.left.set()

    def _event(self, text: str) -> str:
        if "/chat/" in self.path:
            return "data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": None}]})
        if self.server_.kind == "ollama":
            return json.dumps({"response": text, "done": False}, ensure_ascii=False)
        if self.server_.kind == "llama":
            logprobs: dict[str, Any] = {"content": [{"token": text, "logprob": -0.25}]}
        else:
            logprobs = {"tokens": [text], "token_logprobs": [-0.25]}
        return "data: " + json.dumps(
            {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": None}]}, ensure_ascii=False
        )

    def _end(self) -> list[str]:
        finish = self.server_.finish
        if self.server_.kind == "ollama" and "/chat/" not in self.path:
            return [json.dumps({"response": "", "done": True, "done_reason": finish})]
        usage = {"prompt_tokens_details": {"cached_tokens": 7}}
        return [
            "data: " + json.dumps({"choices": [{"text": "", "logprobs": None, "finish_reason": finish}]}),
            "data: " + json.dumps({"choices": [], "usage": usage}),
            "data: [DONE]",
        ]

    def _line(self, line: str) -> None:
        data = f"{line}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_request(self, *_: object) -> None: ...


@contextmanager
def model_server(server: ModelServer, port: int = 0) -> Iterator[ModelServer]:
    """Runs the server until the block ends, at any port if it is 0."""
    handler = type("Handler", (_Handler,), {"server_": server})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
