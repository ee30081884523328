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
    if not separator or host in ("", "*") or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise DoorRefused(f"{text} is no address to listen at; write one such as 127.0.0.1:8080.")
    return Listen(host, int(port))


def check_resolved(listen: Listen, address: str) -> None:
    """Raises ``DoorRefused`` if the name was resolved to the address that stands for all of this machine."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    if (mapped or found).is_unspecified:
        raise DoorRefused(
            f"{listen.host} stands for all addresses and is none that clients can use; write the one that they use."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
