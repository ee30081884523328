"""The key that every request must have, in a file that only the user may read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from codegemma_lsp.engines.host.door.address import DoorRefused

NAME = "door.key"
_BYTES = 32


def door_key(folder: Path) -> str:
    """Returns the key in the host's folder, which is made if there is none. Raises ``DoorRefused``."""
    path = folder / NAME
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DoorRefused(f"{path} cannot be read ({error.strerror}); remove it.") from None
    key = secrets.token_urlsafe(_BYTES)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(key + "\n")
    except OSError as error:
        raise DoorRefused(f"{path} cannot be written ({error.strerror}).") from None
    return key


def _read(path: Path) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise DoorRefused(f"{path} may be read by others than you; remove it, and a new key is made.")
        key = file.read(1000).decode("ascii", "replace").strip()
    if len(key) < _BYTES:
        raise DoorRefused(f"{path} has no key; remove it, and a new one is made.")
    return key
