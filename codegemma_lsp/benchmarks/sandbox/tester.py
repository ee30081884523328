"""Runs the trusted test of one program, which runs in a process of its own, and prints the verdict as JSON
(``python -I -S``). The request comes from stdin."""

from __future__ import annotations

import ast
import builtins
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from codegemma_lsp.benchmarks.sandbox import enclosure
from codegemma_lsp.benchmarks.sandbox.values import decoded, encoded

_MOST_BYTES = 2**24
"""The longest message of a program in bytes."""


class Ended(Exception):
    """The program's process ended, or its time is over. ``str()`` is the verdict's reason."""


def main() -> None:
    """Judges the program of the request on stdin."""
    asked = json.loads(sys.stdin.buffer.read())
    asked["namespaces"] = not asked["bubblewrap"] and enclosure.leave_namespaces()
    with Program(asked) as program:
        reason = _reason(program, asked["test"])
    verdict = {"passed": not reason, "reason": reason, "walls": program.walls}
    sys.stdout.write(json.dumps(verdict))


def _reason(program: Program, test: str) -> str:
    """Returns why a program does not pass, or ""."""
    try:
        program.start()
        names: dict[str, Any] = {name: program.function(name) for name in _free_names(test)}
        exec(compile(test, "<test>", "exec"), names)  # noqa: S102
    except Ended as error:
        return str(error)
    except Exception as error:
        return type(error).__name__
    return ""


def _free_names(test: str) -> set[str]:
    """Returns the names that a test uses and Python does not define. Those that the test itself defines are among them;
    it defines them before it uses them."""
    used = {node.id for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)}
    return used - set(vars(builtins))


class Program:
    """The process of a program."""

    def __init__(self, asked: dict[str, Any]) -> None:
        root = Path(asked["root"])
        command = enclosure.python("guard", root)
        self.walls = ""
        self._asked = asked
        self._seconds: float = asked["seconds"]
        self._process = subprocess.Popen(
            enclosure.bubblewrapped(asked["bubblewrap"], command, root) if asked["bubblewrap"] else command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._rest = b""
        self._until: float | None = None

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def start(self) -> None:
        """Runs the program. Raises ``Ended``, or what ended it. Its time begins when its interpreter has started."""
        self.walls = self._ask(self._asked)["walls"]
        self._until = time.monotonic() + self._seconds
        self._value(self._answer())

    def function(self, name: str) -> Callable[..., Any]:
        """Returns a function that calls the program's one of that name."""

        def call(*values: object, **named: object) -> Any:
            keywords = {key: encoded(value) for key, value in named.items()}
            return self._value(self._ask([name, [*map(encoded, values)], keywords]))

        return call

    def _ask(self, message: object) -> Any:
        try:
            _pipe(self._process.stdin).write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise Ended("killed") from None
        return self._answer()

    def _value(self, answer: Any) -> Any:
        """Returns the value of an answer. Raises the exception of the same name that Python has, or ``Ended``."""
        if "raised" not in answer:
            return decoded(answer["value"])
        known = getattr(builtins, str(answer["raised"]), None)
        if isinstance(known, type) and issubclass(known, Exception) and known is not UnicodeDecodeError:
            raise _made(known)
        raise Ended(str(answer["raised"]))

    def _answer(self) -> Any:
        while b"\n" not in self._rest:
            self._wait()
            more = os.read(_pipe(self._process.stdout).fileno(), 2**16)
            if not more or len(self._rest) > _MOST_BYTES:
                raise Ended("killed")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _wait(self) -> None:
        """Waits for the program's next bytes. Raises ``Ended`` when its time is over. Windows cannot wait for a pipe;
        there, the time of the whole judgement ends this process."""
        if self._until is None or sys.platform == "win32":
            return
        left = max(0.0, self._until - time.monotonic())
        if not select.select([_pipe(self._process.stdout)], [], [], left)[0]:
            raise Ended("timeout")


def _made(kind: type[Exception]) -> Exception:
    try:
        return kind()
    except TypeError:  # it needs arguments
        return Ended(kind.__name__)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
