"""Who may enter: whoever has the key, calls this machine by a name of its own, and is no page in a browser."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codegemma_lsp.engines.host.door.metrics import Metrics

_MOST_REQUESTS = 128
"""The number of requests that may be answered at a time. Those that are refused do not count."""
_BUSY = f"{_MOST_REQUESTS} requests are being answered; ask again later."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status, a short code, and a sentence."""

    status: int
    code: str
    message: str


def refusal_of(headers: Sequence[tuple[bytes, bytes]], key: str, names: frozenset[str]) -> Refusal | None:
    """Returns why a request is refused, or None. ``names`` are those of this machine.

    A browser that was made to resolve somebody's name to this machine sends that name as ``Host``. A page sends
    ``Origin`` with whatever it may not read, and no page needs the door.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or _name(hosts[0]) not in names:
        return Refusal(403, "host", "The Host header names another machine; use the address that the host listens at.")
    if any(name == b"origin" for name, _ in headers):
        return Refusal(403, "origin", "Pages in a browser are refused.")
    given = [value for name, value in headers if name == b"authorization"]
    wanted = b"Bearer " + key.encode()
    if len(given) != 1 or not hmac.compare_digest(given[0], wanted):
        return Refusal(401, "key", "The key is missing or wrong; send it as Authorization: Bearer KEY.")
    return None


def _name(host: bytes) -> str:
    """Returns the name in a ``Host`` header, without the port, which a tunnel may change."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


class Guard:
    """Lets requests through to ``app``, or refuses them and ends their connection, and counts both. ``paths`` are
    those of ``app``, by which requests are counted."""

    def __init__(self, app: ASGIApp, paths: frozenset[str], key: str, names: frozenset[str], metrics: Metrics) -> None:
        self._paths = paths
        self._app, self._key, self._names, self._metrics = app, key, names, metrics
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.request(path, message["status"])
            await send(message)

        refusal = refusal_of(scope["headers"], self._key, self._names)
        if refusal is None and self._running >= _MOST_REQUESTS:
            refusal = Refusal(503, "too_many_requests", _BUSY)
        if refusal is not None:
            await _refused(refusal)(scope, receive, counted)
            return
        self._running += 1
        try:
            await self._app(scope, receive, counted)
        finally:
            self._running -= 1


def _refused(refusal: Refusal) -> Response:
    headers = {"Connection": "close"} | ({"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {})
    error = {"message": refusal.message, "type": "refused", "code": refusal.code}
    return JSONResponse({"error": error}, refusal.status, headers)
