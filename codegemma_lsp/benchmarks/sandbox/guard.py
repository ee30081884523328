"""Runs one untrusted program, and calls its functions for a test in another process (``python -I -S``).

Messages are lines of JSON. The program runs behind what ``enclosure`` finds. Below that, an audit hook ends the process
when the program is about to use the network, another program, or a file that it may not write. A hook alone does not
contain code that is written to escape.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any, BinaryIO

from codegemma_lsp.benchmarks.sandbox import enclosure
from codegemma_lsp.benchmarks.sandbox.values import decoded, encoded

FORBIDDEN = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "subprocess.",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "os.remove", "os.rename", "os.rmdir",
    "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime", "shutil.", "ctypes.",
    "pty.", "sqlite3.", "ftplib.", "smtplib.", "urllib.", "webbrowser.", "gc.get_objects", "gc.get_refer",
    "_winapi.CreateProcess",
    "signal.pidfd_send_signal", "cpython.PyInterpreterState_New",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LOCAL_SOCKET = 1
"""AF_UNIX, the kind of socket with which an event loop wakes itself."""
UNAUDITED = "_posixsubprocess"
"""The module that starts programs without an audit event. Its function is taken away before the program runs, and it is
not imported again."""


def main() -> None:
    """Serves the test of one program, from the request on stdin to the end of the input."""
    source, out = os.fdopen(os.dup(0), "rb"), os.dup(1)
    asked = json.loads(source.readline())
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    walls = _enter(asked)
    tell = functools.partial(_tell, out)
    tell({"walls": walls})
    _forget_other_programs()
    module = types.ModuleType("program")
    _hide(asked["root"], module)
    sys.addaudithook(_hook(out))
    tell(_attempt(lambda: exec(compile(asked["program"], "<program>", "exec"), module.__dict__)))  # noqa: S102
    _serve(source, tell, module)
    os._exit(0)


def _enter(asked: dict[str, Any]) -> str:
    """Enters all walls that there are, and returns their names."""
    enclosure.end_with_parent()
    enclosure.limit(int(asked["seconds"]) + 1, asked["megabytes"])
    walls = ["bubblewrap"] * bool(asked["bubblewrap"]) + ["namespaces"] * asked["namespaces"]
    return ", ".join([*walls, *["Landlock"] * enclosure.enter_landlock(), "audit hook"])


def _hide(root: str, program: types.ModuleType) -> None:
    """Leaves a program the standard library, without what was imported for this module."""
    sys.path.remove(root)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"codegemma_lsp", "ctypes", "_ctypes"}]:
        del sys.modules[name]
    sys.modules["program"] = sys.modules["__main__"] = program


def _forget_other_programs() -> None:
    """Takes away the one function that starts programs without an audit event."""
    try:
        vars(importlib.import_module(UNAUDITED))["fork_exec"] = None
    except ImportError:  # not on Windows
        return


def _tell(out: int, message: dict[str, Any]) -> None:
    os.write(out, json.dumps(message).encode() + b"\n")


def _attempt(step: Callable[[], object]) -> dict[str, Any]:
    """Returns the message with a step's value, or with the names of the exception that ended it and of its bases."""
    try:
        return {"value": encoded(step())}
    except BaseException as error:
        return {"raised": [type(error).__name__, *(base.__name__ for base in type(error).__mro__)]}


def _serve(source: BinaryIO, tell: Callable[[dict[str, Any]], None], module: types.ModuleType) -> None:
    for line in source:
        name, values, named = json.loads(line)
        if name:
            tell(_attempt(functools.partial(_call, module, name, values, named)))
        else:
            tell({"value": {one: _named(module, one) for one in values if hasattr(module, one)}})


def _named(module: types.ModuleType, name: str) -> Any:
    """Returns what a name of the program stands for: a copy of a value, or that it can be called."""
    found = getattr(module, name)
    return "callable" if callable(found) else {"value": encoded(found)}


def _call(module: types.ModuleType, name: str, values: list[Any], named: dict[str, Any]) -> Any:
    keywords = {key: decoded(value) for key, value in named.items()}
    return getattr(module, name)(*map(decoded, values), **keywords)


def _hook(out: int) -> Callable[[str, tuple[Any, ...]], None]:
    """Returns a hook that ends the process at an event that is forbidden. It raises nothing, because the traceback
    would lead a program to the hook, and it looks up no name that a program could define otherwise."""
    said = json.dumps({"raised": ["PermissionError", "PermissionError"]}).encode() + b"\n"
    whole, text, kind, type_of, write, leave = int, str, isinstance, type, os.write, os._exit
    forbidden, writing, nowhere, unaudited = FORBIDDEN, WRITING, os.devnull, UNAUDITED

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        is_nowhere = event == "open" and type_of(args[0]) is text and args[0] == nowhere
        writes = event == "open" and kind(args[2], whole) and args[2] & writing and not is_nowhere
        reaches_out = event == "socket.__new__" and args[1] != LOCAL_SOCKET
        starts = event == "import" and args[0] == unaudited
        if writes or reaches_out or starts or event.startswith(forbidden):
            write(out, said)
            leave(1)

    return refuse
