"""Has a program judged by the processes that ``tester`` and ``guard`` are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codegemma_lsp.benchmarks.sandbox.enclosure import bubblewrap, python

_ROOT = Path(__file__).parents[3]
_MEGABYTES = 1024
_START_S = 30.0
"""How many seconds two interpreters may take to start, on a busy machine. Windows cannot tell these seconds from those
of the program."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a program passed. ``reason`` names what ended a failed one: an exception's name, ``timeout`` or
    ``killed``. ``walls`` names what kept it from the rest of the system."""

    passed: bool
    reason: str = ""
    walls: str = ""


def run(program: str, test: str = "", seconds: float = 3.0) -> Verdict:
    """Runs Python source, then ``test``, and returns whether both ran to their ends, without an exception or an exit,
    and within the limits.

    ``test`` is trusted. It runs in another process than the program, and sees the program's functions, whose arguments
    and results are copies of literals. Without one, the program itself says that it ran to its end. The program blocks
    for at most ``seconds`` of wall time once its interpreter has started. It has the standard library, but no installed
    packages.
    """
    asked = {
        "program": program,
        "test": test,
        "seconds": seconds,
        "megabytes": _MEGABYTES,
        "root": str(_ROOT),
        "bubblewrap": bubblewrap(),
    }
    text = json.dumps(asked)
    limit = seconds if sys.platform == "win32" else seconds + _START_S
    with (
        tempfile.TemporaryDirectory(prefix="codegemma-eval-") as folder,
        subprocess.Popen(
            python("tester", _ROOT),
            cwd=folder,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process,
    ):
        try:
            said, _ = process.communicate(text.encode(), timeout=limit)
            return Verdict(**json.loads(said))
        except subprocess.TimeoutExpired:
            return Verdict(False, "timeout")
        except (ValueError, TypeError):
            return Verdict(False, "killed")
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process with its whole group."""
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@cache
def walls() -> str:
    """Returns what keeps programs from the rest of the system on this machine, as one of them reports it."""
    return run("", seconds=10.0).walls
