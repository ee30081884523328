"""Runs one program that nobody vouches for, read from stdin with a secret; prints the secret if it ran to its end.

Started by ``sandbox.py`` as a process of its own (``python -I -S guard.py``). It imports nothing of ours. What holds:
limits of time, memory, files and processes; no network, by a namespace of its own where the system allows and by an
audit hook everywhere; no other program and no file written, by the same hook. That is enough for what a language model
writes by mistake; it is no prison for code written to get out of it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "os.remove",
    "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.putenv",
    "shutil.", "ctypes.", "pty.", "ftplib.", "smtplib.", "urllib.", "webbrowser.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    secret, seconds, megabytes = sys.argv[1:4]
    program = sys.stdin.buffer.read().decode("utf-8", "replace")
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    limit(int(seconds), int(megabytes))
    leave_network()
    sys.addaudithook(refuse)
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "program"})  # noqa: S102
    except BaseException as error:
        os.write(out, type(error).__name__.encode())
    else:
        os.write(out, secret.encode())
    os._exit(0)


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
    """A namespace without interfaces, where the kernel lets us have one."""
    try:
        ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except (OSError, AttributeError, TypeError):
        return


def refuse(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(FORBIDDEN) or (event == "open" and isinstance(args[2], int) and args[2] & WRITING):
        raise PermissionError(event)


if __name__ == "__main__":
    main()
