"""Runs a command on Linux, and kills all processes that it started when it ends.

It is a program of its own (``python -I -S launcher.py PARENT COMMAND …``). It adopts processes that lose their parents,
so that those in sessions of their own are found too. SIGTERM, and the end of the process ``PARENT``, end the command.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_WAITED = {signal.SIGTERM, signal.SIGCHLD}


def main() -> None:
    """Exits with the status of the command, or 126 if it cannot be run."""
    parent, *command = sys.argv[1:]
    kernel = ctypes.CDLL(None)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    kernel.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    kernel.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before its end could be watched
        return

    def alone() -> None:
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED)

    try:
        child = subprocess.Popen(command, start_new_session=True, preexec_fn=alone)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
    status = None
    while status is None and signal.sigwait(_WAITED) != signal.SIGTERM:
        status = _status(child.pid)
    _kill_all()
    os._exit(126 if status is None else os.waitstatus_to_exitcode(status) & 0xFF)


def _status(pid: int) -> int | None:
    """Returns the status with which a child ended, or None, and reaps all children that have ended."""
    while (ended := os.waitpid(-1, os.WNOHANG))[0]:
        if ended[0] == pid:
            return ended[1]
    return None


def _kill_all() -> None:
    """Kills all descendants. One that is started meanwhile is found when its parent is reaped."""
    with suppress(ChildProcessError):
        while True:
            for pid in _descendants(os.getpid()):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _descendants(root: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(entry.name))
    todo = [root]
    while todo:
        found = children.get(todo.pop(), [])
        todo += found
        yield from found


if __name__ == "__main__":
    main()
