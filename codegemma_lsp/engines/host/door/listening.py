"""The door's socket, and the thread that serves it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from codegemma_lsp.engines.host.door.address import DoorRefused, Listen, check_resolved
from codegemma_lsp.engines.host.door.app import Door, paths_of
from codegemma_lsp.engines.host.door.connections import Connection, DoorLoop
from codegemma_lsp.engines.host.door.guard import Guard
from codegemma_lsp.engines.host.door.key import NAME, door_key
from codegemma_lsp.engines.host.door.lending import Lender
from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.whereabouts import memory_of
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_BACKLOG = 128
_TIDY_S = 10.0
_START_S = 10.0
_QUIET_S = 5
"""The number of seconds for which an idle connection is kept."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the door is opened: its address, the files of its certificate and key, and whether it may do without these
    where other machines reach it."""

    listen: Listen
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_plain_http: bool = False


def check(options: Options) -> None:
    """Raises ``DoorRefused`` for options that would send text unencrypted, or that name no certificate."""
    if (options.tls_cert is None) != (options.tls_key is None):
        raise DoorRefused("A certificate needs its key: give both --tls-cert and --tls-key.")
    if options.tls_cert is not None and options.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.tls_cert, options.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise DoorRefused(f"The certificate cannot be used ({error.strerror or error}).") from None
    elif not options.listen.is_loopback and not options.allow_plain_http:
        raise DoorRefused(
            f"Others on the network could read along at {options.listen.host}; give --tls-cert and --tls-key, or"
            " --allow-plain-http if the network keeps others out."
        )


class Listener:
    """A bound socket, which ``serving`` serves. ``url`` is where clients find it."""

    def __init__(self, options: Options, folder: Path, settings: Callable[[], Settings], idle_s: float) -> None:
        """Raises ``DoorRefused``."""
        check(options)
        self._options, self._settings, self._idle_s = options, settings, idle_s
        self.key_path = folder / NAME
        self._key = door_key(folder)
        self._socket = _bound(options.listen)
        scheme = "http" if options.tls_cert is None else "https"
        host = f"[{options.listen.host}]" if ":" in options.listen.host else options.listen.host
        self.url = f"{scheme}://{host}:{self._socket.getsockname()[1]}"

    @contextmanager
    def serving(self, pool: Pool, windows: Callable[[], int]) -> Iterator[None]:
        """Serves in a thread of its own for as long as the block runs. ``windows`` counts those of the host."""
        lender = Lender(pool, self._settings, self._idle_s)

        def gauges() -> Mapping[str, tuple[str, float]]:
            return {
                "engines": ("Engines that are loaded.", len(pool.models())),
                "windows": ("Windows that are connected.", windows()),
                "memory_bytes": ("Memory that the process holds.", memory_of(os.getpid()) or 0),
            }

        door = Door(pool=pool, lender=lender, gauges=gauges)
        app = door.app()
        guard = Guard(app, paths_of(app), self._key, self._options.listen.names, door.metrics)
        server = uvicorn.Server(self._config(guard))

        def serve() -> None:
            with asyncio.Runner(loop_factory=DoorLoop) as runner:
                runner.run(_serve(server, self._socket, lender))

        thread = threading.Thread(target=serve, name="codegemma-door", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            thread.join(_START_S)

    def _config(self, app: Guard) -> uvicorn.Config:
        options = self._options
        return uvicorn.Config(
            app,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            http=Connection,
            loop="asyncio",
            timeout_keep_alive=_QUIET_S,
            timeout_graceful_shutdown=1,
        )


async def _serve(server: uvicorn.Server, bound: socket.socket, lender: Lender) -> None:
    async def tidy() -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            await asyncio.to_thread(lender.tidy)

    tidying = asyncio.create_task(tidy())
    try:
        await server.serve(sockets=[bound])
    finally:
        tidying.cancel()


def _bound(listen: Listen) -> socket.socket:
    """Raises ``DoorRefused``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        check_resolved(listen, str(address[0]))
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
            bound.listen(_BACKLOG)  # so that a client that comes before the thread is ready waits for it
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise DoorRefused(f"Nothing can listen at {listen.host}:{listen.port} ({error.strerror or error}).") from None
    return bound
