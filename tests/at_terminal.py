"""A command of ours at a terminal: what it prints there, and the keys that are pressed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROWS, COLUMNS = 24, 100
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])|\r")


class AtTerminal:
    """``text`` is all that was printed so far, without control sequences."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self._printed = b""

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self._printed.decode("utf-8", "replace"))

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def interrupt(self) -> None:
        """Ctrl+C where the program has not asked for single keys."""
        self.process.send_signal(signal.SIGINT)

    def wait_for_more(self, length: int, seconds: float = 40) -> None:
        """Until so many characters have been printed in all."""
        end = time.monotonic() + seconds
        while len(self.text) < length:
            assert time.monotonic() < end, f"no more than {self.text!r}"
            self._read(0.1)

    def wait_for(self, text: str, times: int = 1, seconds: float = 40) -> None:
        end = time.monotonic() + seconds
        while self.text.count(text) < times:
            assert time.monotonic() < end, f"no {text!r} in {self.text!r}"
            if not self._read(0.1):
                break
        assert self.text.count(text) >= times, f"no {text!r} in {self.text!r}"

    def leave(self, key: str) -> int:
        """Presses a key until the program ends, because one that comes while it does not wait for keys may be lost.
        Returns the exit code."""
        for _ in range(20):
            if self.process.poll() is not None:
                break
            self.press(key)
            self._read(0.5)
        return self.ended()

    def ended(self, seconds: float = 20) -> int:
        """The exit code, once it has ended."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.text!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        """Whether there may be more."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return seconds > 0
        try:
            more = os.read(self._terminal, 65536)
        except OSError:  # the other side is closed
            return False
        self._printed += more
        if b"\x1b[6n" in more:  # where is the cursor?
            self.press("\x1b[1;1R")
        return bool(more)


@contextmanager
def at_terminal(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> Iterator[AtTerminal]:
    """``codegemma-lsp`` with these arguments; it is killed where it has not ended."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "codegemma_lsp", *arguments],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        start_new_session=True,
        # Ignored signals are inherited, and Ctrl+C is one in what a shell has started in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    try:
        yield AtTerminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        os.close(ours)
