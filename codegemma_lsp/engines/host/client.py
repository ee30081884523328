"""A window's side of the host: finds it or starts it, and asks after it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from filelock import FileLock, Timeout

from codegemma_lsp.engines.host.messages import Hello, Status, Wants, time_limit, version
from codegemma_lsp.engines.host.place import (
    FOLDER_VARIABLE,
    LOG,
    START_LOCK,
    HostUnavailable,
    HostUnsupported,
    host_folder,
    peer,
    socket_path,
)
from codegemma_lsp.engines.protocol import SharedProcessEnded
from codegemma_lsp.engines.whereabouts import Whereabouts, memory_of
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.client import HUNG, ChildLink, Link

log = logging.getLogger(__name__)

_SILENT_S = 15.0
"""The number of seconds after which a host that does not greet counts as hung."""
_START_S = 60.0
"""The number of seconds that a host has to start."""
_HOST = "codegemma_lsp.engines.host.process"
_LAUNCH = (
    "import subprocess, sys;"
    "host = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, process_group=0);"
    "sys.exit(0 if host.stdout.read() else host.wait())"
)
"""A program that starts the host and ends when it listens. The host is then no child of the window that started it, so
it outlives the window, its terminal, and an editor that ends the window's children. It stays in the window's session:
Linux schedules sessions against each other, so on a busy machine each message to another one waits."""


class HostLink:
    """A connection to the host."""

    is_greeted = True

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid, self._connection = pid, connection
        self._handle = _handle(pid)
        self.to_process = cast(BinaryIO, connection.makefile("wb"))
        self.from_process = cast(BinaryIO, connection.makefile("rb"))

    def hang_up(self) -> None:
        try:
            self.to_process.close()
        finally:
            self._connection.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        _kill(self.pid, self._handle)
        self.leave()

    def failure(self, has_hung: bool) -> SharedProcessEnded:
        self.leave()
        self._connection.close()
        if self._handle is not None:
            os.close(self._handle)
        return SharedProcessEnded(f"The engine's process {HUNG if has_hung else 'has ended'}; it starts again.")

    def whereabouts(self) -> Whereabouts:
        try:
            said = status()
        except HostUnavailable:
            said = None
        if said is None or said.pid != self.pid:
            return Whereabouts(process=self.pid, memory=memory_of(self.pid), windows=1)
        return Whereabouts(process=said.pid, memory=said.memory, windows=said.windows)


def shared_or_own() -> Link:
    """Connects to the host, which is started if there is none, or starts a process of the server's own if there can be
    none. It blocks, so call it in a thread. That a system can have no host is no news, so it is not logged."""
    try:
        return connect()
    except HostUnavailable as error:
        level = logging.DEBUG if isinstance(error, HostUnsupported) else logging.WARNING
        log.log(level, "the model is not shared with other windows: %s", error)
        return ChildLink(str(error))


def connect() -> HostLink:
    """Connects to the host, which is started if there is none. Raises ``HostUnavailable``."""
    folder = host_folder()
    if (link := _connected(folder)) is not None:
        return link
    try:
        with FileLock(folder / START_LOCK, timeout=_START_S):
            return _connected(folder) or _started(folder)
    except Timeout:
        raise HostUnavailable("Another window is still starting the host.") from None
    except OSError as error:
        raise HostUnavailable(f"The host cannot be started ({error.strerror}).") from None


def status() -> Status | None:
    """Returns what the host says of itself, or None if none runs. Raises ``HostUnavailable``."""
    greeted = _greeted(host_folder(), "status")
    if greeted is None:
        return None
    greeted[0].close()
    return greeted[1]


def stop() -> Status | None:
    """Ends the host. Returns what it said of itself before, or None if none runs. Raises ``HostUnavailable``."""
    greeted = _greeted(host_folder(), "stop")
    if greeted is None:
        return None
    connection, said = greeted
    with connection, time_limit(connection, _SILENT_S):
        while connection.recv(4096):
            pass
    return said


def take_over() -> tuple[Status | None, Callable[[], None]]:
    """Ends the host that runs, if one does, and keeps windows from starting another until the function returned is
    called in the same thread. Raises ``HostUnavailable``."""
    lock = FileLock(host_folder() / START_LOCK, timeout=_START_S)
    try:
        lock.acquire()
    except Timeout:
        raise HostUnavailable("A window is still starting the host.") from None
    except OSError as error:
        raise HostUnavailable(f"The host's folder cannot be used ({error.strerror}).") from None
    try:
        return stop(), lock.release
    except BaseException:
        lock.release()
        raise


def _connected(folder: Path) -> HostLink | None:
    """Returns a connection to the host, or None if none runs. Raises ``HostUnavailable`` for one of another version."""
    greeted = _greeted(folder, "engines")
    if greeted is None:
        return None
    connection, said = greeted
    if said.version != version():
        connection.close()
        raise HostUnavailable(f"The host's version is {said.version}, and this window's {version()}.")
    pid, _ = peer(connection)
    return HostLink(connection, pid or said.pid)


def _greeted(folder: Path, wants: Wants) -> tuple[socket.socket, Status] | None:
    """Returns a connection to the host and what it says of itself, or None if none runs. A host that does not answer
    is ended. Raises ``HostUnavailable`` if it is somebody else's, or no host."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        said = _greet(connection, folder, wants)
    except (FileNotFoundError, ConnectionError):
        said = None
    except OSError as error:
        connection.close()
        raise HostUnavailable(f"The host cannot be reached ({error.strerror}).") from None
    except BaseException:
        connection.close()
        raise
    if said is None:
        connection.close()
        return None
    return connection, said


def _greet(connection: socket.socket, folder: Path, wants: Wants) -> Status | None:
    connection.connect(str(socket_path(folder)))
    pid, is_ours = peer(connection)
    if not is_ours:
        raise HostUnavailable(f"The host in {folder} is another user's.")
    hello = Hello(version=version(), wants=wants).model_dump_json().encode()
    with time_limit(connection, _SILENT_S) as is_silent:
        connection.sendall(frames.framed(hello))
        with connection.makefile("rb") as reader:  # nothing follows the answer before it is asked for
            frame = frames.read(reader)
    if is_silent.is_set():
        log.warning("the host gives no sign of life and is ended")
        _kill(pid, None)
    if frame is None:
        return None
    try:
        return Status.model_validate_json(frame)
    except ValueError:
        raise HostUnavailable("What answers in the host's place is no host.") from None


def _started(folder: Path) -> HostLink:
    """Starts a host and connects to it. Raises ``HostUnavailable``."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(folder / LOG, flags, 0o600), "wb") as log_file:
        try:
            launcher = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-c",
                    _LAUNCH,
                    sys.executable,
                    "-P",
                    "-m",
                    "codegemma_lsp.engines.host.process",
                ],
                stdin=subprocess.DEVNULL,
                stderr=log_file,
                cwd=folder,
                env={**os.environ, FOLDER_VARIABLE: str(folder), "GGML_NO_BACKTRACE": "1"},
            )
            version()  # which takes its time, while the host starts
            code = launcher.wait(_START_S)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
            raise HostUnavailable(f"The host did not begin within {_START_S:.0f} seconds.") from None
    if (link := _connected(folder)) is None:
        raise HostUnavailable(f"The host ended with code {code}; see {folder / LOG}.")
    return link


def _handle(pid: int) -> int | None:
    """Returns a file descriptor that means this process, and no later one with the same id, or None."""
    with suppress(OSError, AttributeError):  # macOS has none
        return os.pidfd_open(pid)
    return None


def _kill(pid: int, handle: int | None) -> None:
    with suppress(OSError):
        if handle is not None:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        elif pid > 0:
            os.kill(pid, signal.SIGKILL)
