"""The address that the door listens at."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a client of this machine may call it."""


class DoorRefused(Exception):
    """The door cannot be opened in this way. ``str()`` is one sentence."""


@dataclass(frozen=True, slots=True)
class Listen:
    """A name or an address of this machine, and a port, of which 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def names(self) -> frozenset[str]:
        """What a client may call this machine."""
        return LOOPBACK_NAMES | {self.host.lower()}


def parse_listen(text: str) -> Listen:
    """Returns an address such as ``127.0.0.1:8080`` or ``[::1]:8080``. Raises ``DoorRefused``."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise DoorRefused(f"{text} is no address to listen at; write one such as 127.0.0.1:8080.")
    if host in ("0.0.0.0", "::", "*"):  # noqa: S104 # it is refused
        raise DoorRefused(f"{host} is no name that clients can use; write the address or the name that they use.")
    return Listen(host, int(port))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
