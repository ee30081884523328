"""Where the windows of a user find the host: a folder that only the user may enter, with the host's socket."""

from __future__ import annotations

import os
import socket
import stat
import struct
import warnings
from pathlib import Path

from platformdirs import user_runtime_path

# Over SSH and in containers there is often none. The folder below the temporary one is as good, because it is looked at
# before it is used. A filter for one call alone would not be safe among threads.
warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")

FOLDER_VARIABLE = "CODEGEMMA_HOST"
LOCK, START_LOCK, LOG, RECORD = "host.lock", "start.lock", "host.log", "record.json"
"""The files in the folder: the first lock is held by the host, and the second by a window that starts one."""
_SOCKET = "socket"
_LONGEST_SOCKET = 100
"""The number of bytes of a socket's path that every system allows."""


class HostUnavailable(Exception):
    """No host can be used. ``str()`` is one sentence that says why."""


class HostUnsupported(HostUnavailable):
    """This system can have no host."""


def host_folder() -> Path:
    """Returns the folder of the host, which is created if it is missing. Raises ``HostUnavailable``, and of that
    ``HostUnsupported`` if this system can have none."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "getuid"):
        raise HostUnsupported("Windows of this system cannot share a model, because Python has no Unix sockets there.")
    given = os.environ.get(FOLDER_VARIABLE)
    folder = (
        Path(given).expanduser().absolute() if given else user_runtime_path("codegemma-lsp", appauthor=False) / "host"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise HostUnavailable(f"The folder {folder} cannot be used ({error.strerror}).") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HostUnavailable(f"{folder} is no folder that only you may enter; remove it, or run: chmod 700 {folder}")
    if len(os.fsencode(socket_path(folder))) > _LONGEST_SOCKET:
        raise HostUnavailable(f"The path {folder} is too long for a socket; set {FOLDER_VARIABLE} to a shorter one.")
    return folder


def socket_path(folder: Path) -> Path:
    """Returns the path of the host's socket."""
    return folder / _SOCKET


def peer(connection: socket.socket) -> tuple[int, bool]:
    """Returns the process id of the other side, or 0 if the system does not tell it, and whether it may be of this
    user. Where the system does not tell the user, the folder's permissions alone keep others out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, True
    credentials = struct.Struct("3i")
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    pid, user, _ = credentials.unpack(data)
    return pid, user == os.getuid()
