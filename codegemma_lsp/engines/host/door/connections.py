"""The door's connections. One that sends no request is closed in time, and takes nobody's place."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""The number of seconds in which a connection must have been encrypted, and in which the head of a request must have
come. Further bytes do not prolong it."""
MOST_QUIET = 128
"""The number of connections without a request. With one more, another one is closed."""


class Quiet(Protocol):
    """A connection without a request. One that is trusted has sent one before that was let in. ``since`` is in
    seconds."""

    @property
    def address(self) -> str: ...

    @property
    def is_trusted(self) -> bool: ...

    @property
    def since(self) -> float: ...


def first_to_leave(quiet: Sequence[Quiet]) -> int:
    """Returns which connection is closed for a new one: one that is not trusted, of the address that has the most, and
    of those the oldest."""
    addresses = Counter(one.address for one in quiet)
    return min(range(len(quiet)), key=lambda at: (quiet[at].is_trusted, -addresses[quiet[at].address], quiet[at].since))


class Connection(H11Protocol):
    """A connection that must send a whole head in time. The guard ends one whose request it refuses, so an answer that
    leaves it open was one for somebody with the key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address, self.since = "", 0.0
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_quiet(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_trusted(self) -> bool:
        return self.cycle is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client is not None else ""
        self._await_request()
        quiet = [one for one in self.connections if isinstance(one, Connection) and one.is_quiet]
        if len(quiet) > MOST_QUIET:
            quiet[first_to_leave(quiet)].leave()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def leave(self) -> None:
        """Closes the connection at once, also where its client takes nothing."""
        self.connections.discard(self)
        self.transport.abort()

    def _await_request(self) -> None:
        self.since = self.loop.time()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_S, self._expire)

    def _expire(self) -> None:
        if self.is_quiet:
            self.leave()


class DoorLoop(asyncio.SelectorEventLoop):
    """An event loop whose servers give a connection no longer to be encrypted than to send a request."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs["ssl_handshake_timeout"] = REQUEST_S
        return await super().create_server(*args, **kwargs)
