"""Runs one untrusted program, which is read from stdin after a secret, and prints the secret if the program ran to its
end.

``sandbox.py`` starts it as a process of its own (``python -I -S guard.py``), and it imports nothing of this package. It
limits time, memory and files. It has no network, by a namespace of its own if the system allows one. By audit events,
it forbids network access, other programs and writing files. That is enough against mistakes in a model's code, but it
does not contain code that is written to escape.
"""

from __future__ import annotations

import ctypes
import os
import sys
import types
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
FORBIDDEN = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "subprocess.",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "os.remove", "os.rename", "os.rmdir",
    "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime", "shutil.", "ctypes.",
    "pty.", "sqlite3.", "ftplib.", "smtplib.", "urllib.", "webbrowser.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LOCAL_SOCKET = 1
"""AF_UNIX, the kind of socket with which an event loop wakes itself."""


def main() -> None:
    seconds, megabytes = (int(argument) for argument in sys.argv[1:3])
    secret, _, program = sys.stdin.buffer.read().partition(b"\n")
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    limit(seconds, megabytes)
    leave_network()
    forget_other_programs()
    sys.addaudithook(refuse)
    os.write(out, outcome(program.decode("utf-8", "replace")) or secret)
    os._exit(0)


def outcome(program: str) -> bytes:
    """Returns the name of the exception that ended the program, or b"" if it ran to its end."""
    module = sys.modules["program"] = types.ModuleType("program")
    try:
        exec(compile(program, "<program>", "exec"), module.__dict__)  # noqa: S102
    except BaseException as error:
        return type(error).__name__.encode()
    return b""


def limit(seconds: int, megabytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: megabytes * 2**20,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in limits.items():
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # not on every system
            continue


def leave_network() -> None:
    """Enters a network namespace without interfaces, if the kernel allows it."""
    try:
        ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except (OSError, AttributeError, TypeError):
        return


def forget_other_programs() -> None:
    """Disables the one way to start a program that Python does not audit."""
    try:
        import _posixsubprocess
    except ImportError:  # not on Windows
        return
    vars(_posixsubprocess)["fork_exec"] = None


def refuse(event: str, args: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(args[2], int) and args[2] & WRITING and args[0] != os.devnull
    reaches_out = event == "socket.__new__" and args[1] != LOCAL_SOCKET
    if writes or reaches_out or event.startswith(FORBIDDEN):
        raise PermissionError(event)


if __name__ == "__main__":
    main()
