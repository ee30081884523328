"""The program that owns the models of all windows of a user: python -m codegemma_lsp.engines.host.process

It ends by itself when no window is connected and no model is loaded. Of two that are started, the second ends at once.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from filelock import FileLock, Timeout

from codegemma_lsp.engines.host.messages import Hello, Status, time_limit, version
from codegemma_lsp.engines.host.place import LOCK, RECORD, HostUnavailable, host_folder, peer, socket_path
from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.host.record import Record
from codegemma_lsp.engines.whereabouts import memory_of
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.messages import TO_PROCESS, TO_SERVER, ToServer
from codegemma_lsp.engines.worker.process import SWITCH_S
from codegemma_lsp.engines.worker.service import Worker

if TYPE_CHECKING:
    from codegemma_lsp.engines.host.door.listening import Listener

log = logging.getLogger(__name__)

IDLE_VARIABLE = "CODEGEMMA_HOST_IDLE_MINUTES"
_IDLE_MINUTES = 5.0
"""How long a model is kept that no window uses."""
_LINGER_S = 10.0
"""How many seconds a host without windows and models waits for a window."""
_LEAST_LINGER_S = 1.0
_LOOK_S = 0.25
"""The number of seconds between two looks at whether the host is needed."""
_VERDICT_S = 1.0
"""The number of seconds that a window has to say whether a generation is to end."""
_SEND_S = 1.0
"""The number of seconds after which a window that takes nothing of what is sent is left."""
_MOST_UNSENT = 1000
"""The number of messages that may wait to be sent to one window."""
_HELLO_S = 5.0
"""The number of seconds that a connection has to say what it wants."""
_LOCK_S = 5.0
"""The number of seconds that a host has to end after it has stopped listening."""


class Host:
    """Listens in a folder and serves each connection in a thread of its own."""

    def __init__(self, folder: Path, idle_s: float, http: Listener | None = None) -> None:
        """With ``http``, it serves HTTP too, and does not end by itself."""
        self._http = http
        self._path, self._linger_s = socket_path(folder), max(_LEAST_LINGER_S, min(_LINGER_S, idle_s))
        self._record = Record(folder / RECORD)
        self._pool = Pool(self._record, idle_s)
        self._windows = 0
        self._numbers = itertools.count(1)
        self._workers: dict[int, Worker] = {}
        self._lock = threading.Lock()
        """Held while windows are counted, so that none is greeted by a host that ends."""
        self._needed_at = time.monotonic()
        self._has_ended = False

    def serve(self, on_listening: Callable[[], None]) -> None:
        """Returns when nobody has needed it for a while. Raises ``OSError`` if it cannot listen."""
        with suppress(FileNotFoundError):
            self._path.unlink()  # of a host that was killed, because this one holds the lock
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(64)
            listener.settimeout(_LOOK_S)
            try:
                with self._http.serving(self._pool, lambda: self._windows) if self._http else nullcontext():
                    on_listening()
                    while self._is_needed():
                        self._accept(listener)
            finally:
                self._path.unlink(missing_ok=True)
                self._record.leave()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        except OSError as error:  # such as too many open files, which clients of the door can cause
            log.warning("a connection was not taken (%s)", error.strerror)
            time.sleep(_LOOK_S)
            return
        threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _is_needed(self) -> bool:
        with self._lock:
            if self._windows or self._http or not self._pool.is_empty:
                self._needed_at = time.monotonic()
            self._has_ended = time.monotonic() - self._needed_at >= self._linger_s
            return not self._has_ended

    def _attend(self, connection: socket.socket) -> None:
        """Serves one connection to its end. What is wrong with it ends nothing else."""
        try:
            with connection, connection.makefile("rb") as reader:
                self._answer(connection, reader)
        except Exception as error:
            log.warning("a connection was left (%s)", type(error).__name__)
            log.debug("details", exc_info=error)

    def _answer(self, connection: socket.socket, reader: BinaryIO) -> None:
        _, is_ours = peer(connection)
        if not is_ours:
            log.warning("somebody else wanted to connect")
            return
        with time_limit(connection, _HELLO_S):
            frame = frames.read(reader)
        if frame is None:
            return
        hello = Hello.model_validate_json(frame)
        if hello.wants == "engines" and hello.version == version():
            self._serve_window(connection, reader)
            return
        self._greet(connection)
        if hello.wants == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
            reader.read()  # the connection ends with this process

    def _serve_window(self, connection: socket.socket, reader: BinaryIO) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._windows += 1
        try:
            self._greet(connection)
            self._serve_engines(connection, reader)
        finally:
            with self._lock:
                self._windows -= 1

    def _serve_engines(self, connection: socket.socket, reader: BinaryIO) -> None:
        send = _Sender(connection)
        number = next(self._numbers)
        worker = self._workers[number] = Worker(send, self._pool, patience_s=_VERDICT_S, number=number)
        try:
            while (frame := frames.read(reader)) is not None:
                worker.take(TO_PROCESS.validate_json(frame))
        finally:
            del self._workers[number]
            worker.close()
            send.close()

    def _greet(self, connection: socket.socket) -> None:
        pool = self._pool
        status = Status(
            version=version(),
            pid=os.getpid(),
            memory=memory_of(os.getpid()) or 0,
            windows=self._windows,
            loads=pool.loads,
            engine_ms=tuple(worker.engine_ms for worker in list(self._workers.values())),
            models=pool.models(),
        )
        connection.sendall(frames.framed(status.model_dump_json().encode()))


class _Sender:
    """Sends to one window, from any thread and without waiting. A window that does not take what is sent is left."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unsent: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = 0
        """The number of messages that the thread has not sent yet. Nothing overtakes them."""
        self._lock = threading.Lock()
        # A time limit of Python's would hold for reading, too.
        limit = struct.pack("ll", int(_SEND_S), int(1_000_000 * (_SEND_S % 1)))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        threading.Thread(target=self._write, name="codegemma-send", daemon=True).start()

    def __call__(self, message: ToServer) -> None:
        data = frames.framed(TO_SERVER.dump_json(message))
        with self._lock:
            left = data if self._waiting else self._without_what_goes_now(data)
            if left and self._waiting <= _MOST_UNSENT:
                self._waiting += 1
                self._unsent.put(left)
            elif left:
                self._leave()

    def _without_what_goes_now(self, data: bytes) -> bytes:
        """Sends what the system takes at once. Handing it to the thread would cost a message the time in which a busy
        machine schedules it."""
        try:
            return data[self._connection.send(data, socket.MSG_DONTWAIT) :]
        except OSError:  # it takes nothing now, or has left, which the thread finds out
            return data

    def close(self) -> None:
        self._unsent.put(None)

    def _write(self) -> None:
        try:
            while (data := self._unsent.get()) is not None:
                self._connection.sendall(data)
                with self._lock:
                    self._waiting -= 1
        except OSError as error:
            log.info("a window has left, or takes nothing (%s)", type(error).__name__)
        self._leave()

    def _leave(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


def idle_s() -> float:
    """Returns the number of seconds for which a model is kept that nobody uses."""
    given = os.environ.get(IDLE_VARIABLE, "")
    try:
        return 60 * float(given or _IDLE_MINUTES)
    except ValueError:
        log.warning("%s is %r and no number of minutes", IDLE_VARIABLE, given)
        return 60 * _IDLE_MINUTES


def run(on_listening: Callable[[], None], http: Listener | None = None) -> NoReturn:
    """Runs the host until it is not needed any more, or is told to end, and exits. Raises ``HostUnavailable``."""
    folder, code = host_folder(), 0
    sys.setswitchinterval(SWITCH_S)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        with FileLock(folder / LOCK, timeout=_LOCK_S):
            Host(folder, idle_s(), http).serve(on_listening)
    except Timeout:
        raise HostUnavailable("Another host runs already; codegemma-lsp host stop ends it.") from None
    except OSError as error:
        raise HostUnavailable(f"The host cannot listen in {folder} ({error.strerror}).") from None
    except (KeyboardInterrupt, SystemExit) as end:
        code = 130 if isinstance(end, KeyboardInterrupt) else 0
    os._exit(code)  # threads that run llama.cpp are not waited for


def _tell_launcher() -> None:
    """Tells whoever started this process that it listens. Whatever a library prints later goes to stderr."""
    threading.Thread(target=version, daemon=True).start()  # it takes its time, and so does the launcher's end
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def main() -> None:
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal of the window that started it may be closed
    try:
        run(_tell_launcher)
    except HostUnavailable as error:
        log.error("%s", error)
        os._exit(1)


if __name__ == "__main__":
    main()
