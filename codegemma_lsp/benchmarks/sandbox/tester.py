"""Runs the trusted test of one program, which runs in a process of its own, and prints the verdict as JSON
(``python -I -S``). The request comes from stdin."""

from __future__ import annotations

import ast
import builtins
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from codegemma_lsp.benchmarks.sandbox import enclosure
from codegemma_lsp.benchmarks.sandbox.values import decoded, encoded

_MOST_BYTES = 2**24
"""The longest message of a program in bytes."""


class Ended(BaseException):
    """The program's process ended, or its time is over. ``str()`` is the verdict's reason. A test that catches every
    ``Exception`` does not catch it."""


def main() -> None:
    """Judges the program of the request on stdin."""
    asked = json.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    namespaces = not asked["bubblewrap"] and enclosure.leave_namespaces()
    with Program(asked, namespaces=namespaces) as program:
        reason = _reason(program, asked["test"])
    verdict = {"passed": not reason, "reason": reason, "walls": program.walls}
    os.write(out, json.dumps(verdict).encode())


def _reason(program: Program, test: str) -> str:
    """Returns why a program does not pass, or ""."""
    try:
        program.start()
        names = program.named(_free_names(test))
        exec(compile(test, "<test>", "exec"), names)  # noqa: S102
    except Ended as error:
        return str(error)
    except BaseException as error:
        return program.end or type(error).__name__
    return program.end


def _free_names(test: str) -> list[str]:
    """Returns the names that a test uses and Python does not define. Those that the test itself defines are among them;
    it defines them before it uses them."""
    used = {node.id for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)}
    return sorted(used - set(vars(builtins)))


class Program:
    """The process of a program. ``end`` is why it ended or had to be ended, or "" as long as it runs."""

    def __init__(self, asked: dict[str, Any], *, namespaces: bool) -> None:
        root = Path(asked["root"])
        command = enclosure.python("guard", root)
        self.walls, self.end = "", ""
        # Not the test, in which a program would find the values that are expected.
        known = ("program", "seconds", "megabytes", "root")
        self._told = {name: asked[name] for name in known}
        self._told |= {"bubblewrap": bool(asked["bubblewrap"]), "namespaces": namespaces}
        self._seconds: float = asked["seconds"]
        self._process = subprocess.Popen(
            enclosure.bubblewrapped(asked["bubblewrap"], command, root) if asked["bubblewrap"] else command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._rest = b""

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._process.kill()

    def start(self) -> None:
        """Runs the program. Raises ``Ended``, or what ended it. Its time begins when its interpreter has started, and
        is also the test's."""
        self.walls = self._ask(self._told)["walls"]
        if sys.platform != "win32":  # there, the parent's limit ends both
            signal.signal(signal.SIGALRM, lambda *_: self._leave("timeout"))
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        self._value(self._answer())

    def named(self, names: Sequence[str]) -> dict[str, Any]:
        """Returns what the program defines under some names: functions that call its own, and copies of values. Other
        names that it tells, such as those of Python's own functions, are left out."""
        found: dict[str, Any] = self._ask(["", list(names), {}])["value"]
        return {
            name: functools.partial(self._call, name) if found[name] == "callable" else decoded(found[name]["value"])
            for name in names
            if name in found
        }

    def _call(self, name: str, *values: object, **named: object) -> Any:
        keywords = {key: encoded(value) for key, value in named.items()}
        return self._value(self._ask([name, [*map(encoded, values)], keywords]))

    def _ask(self, message: object) -> Any:
        left = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while left:
                left = left[_pipe(self._process.stdin).write(left) :]
        except BrokenPipeError:
            self._leave("killed")
        return self._answer()

    def _value(self, answer: Any) -> Any:
        """Returns the value of an answer, or raises what the program raised: an exception of the same name, with the
        same bases of Python's own."""
        if "raised" not in answer:
            return decoded(answer["value"])
        name, *bases = map(str, answer["raised"])
        for known in (getattr(builtins, base, None) for base in bases):
            if isinstance(known, type) and issubclass(known, Exception) and (error := _made(name, known)) is not None:
                raise error
        raise self._leave(name)

    def _answer(self) -> Any:
        while b"\n" not in self._rest:
            more = os.read(_pipe(self._process.stdout).fileno(), 2**16)
            if not more or len(self._rest) > _MOST_BYTES:
                self._leave("killed")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _leave(self, reason: str) -> Any:
        """Raises ``Ended``, and keeps the reason for a test that catches it."""
        self.end = self.end or reason
        raise Ended(self.end)


def _made(name: str, base: type[Exception]) -> Exception | None:
    """Returns an exception of a new class, or None if it cannot be made without arguments."""
    make: Callable[[], Exception] = type(name, (base,), {})
    try:
        return make()
    except TypeError:
        return None


def _pipe(stream: IO[bytes] | None) -> Any:
    assert stream is not None
    return stream
