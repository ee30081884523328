"""What a window and the host say to each other before the messages of ``engines/worker``."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from codegemma_lsp import __version__
from codegemma_lsp.engines.worker.messages import TO_PROCESS, TO_SERVER
from codegemma_lsp.settings import Settings

Wants: TypeAlias = Literal["engines", "status", "stop"]


class Hello(BaseModel):
    """What a connection begins with. Only ``engines`` needs the host's own version."""

    model_config = ConfigDict(frozen=True)

    version: str
    wants: Wants


class SharedModel(BaseModel):
    """A loaded model, its file's path, and the number of engines that windows have of it."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    users: int


class Status(BaseModel):
    """The host's answer to a ``Hello``. ``memory`` is in bytes. ``loads`` counts models that were loaded from a file,
    ``windows`` the connections that want engines, and ``engine_ms`` the milliseconds for which engines have worked for
    each of these."""

    model_config = ConfigDict(frozen=True)

    version: str
    pid: int
    memory: int
    windows: int
    loads: int
    engine_ms: tuple[float, ...] = ()
    models: tuple[SharedModel, ...]


_one_counts = threading.Lock()
"""Held while the version is computed, so that whoever asks meanwhile waits for it in place of doing the same."""


def version() -> str:
    """Returns what must be equal on both sides: the package's version, and a checksum of all messages. It takes some
    milliseconds the first time."""
    with _one_counts:
        return _version()


@cache
def _version() -> str:
    schemas = [TO_PROCESS.json_schema(), TO_SERVER.json_schema(), Settings.model_json_schema()]
    return f"{__version__}+{hashlib.sha256(json.dumps(schemas, sort_keys=True).encode()).hexdigest()[:16]}"


@contextmanager
def time_limit(connection: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Cuts a connection if the block takes longer, so that reading in it ends. The event is set if it did."""
    cut = threading.Event()

    def cut_it() -> None:
        cut.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut_it)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
