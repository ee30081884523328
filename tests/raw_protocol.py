"""The server as a process, and the very bytes that reach it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "codegemma_lsp", "serve")


def serve(stdin: bytes, *options: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *options], input=stdin, capture_output=True, cwd=cwd, timeout=30, check=False)


def message(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def initialize(process_id: int | None = None) -> bytes:
    params: dict[str, object] = {"capabilities": {}, "processId": process_id}
    return message(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode())


INITIALIZE = initialize()
INITIALIZED = message(b'{"jsonrpc": "2.0", "method": "initialized", "params": {}}')
SHUTDOWN = message(b'{"jsonrpc": "2.0", "id": 9, "method": "shutdown"}')
EXIT = message(b'{"jsonrpc": "2.0", "method": "exit"}')
