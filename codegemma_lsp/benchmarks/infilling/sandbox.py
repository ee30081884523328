"""Runs a program that a model wrote in a process of its own, within limits."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")
_MEGABYTES = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a program passed. ``reason`` names what ended a failed one: an exception's name, ``timeout`` or
    ``killed``."""

    passed: bool
    reason: str = ""


def run(program: str, seconds: float = 3.0) -> Verdict:
    """Runs Python source and returns whether it ran to its end, without an exception or an exit, and within the limits.

    It blocks for at most ``seconds`` of wall time. ``guard.py`` says what the program may not do. The program has the
    standard library, but no installed packages.
    """
    secret = secrets.token_hex(16)
    command = [sys.executable, "-I", "-S", str(_GUARD), str(int(seconds) + 1), str(_MEGABYTES)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with (
        tempfile.TemporaryDirectory(prefix="codegemma-eval-") as folder,
        subprocess.Popen(command, cwd=folder, env={}, stdin=pipe, stdout=pipe, stderr=nowhere) as process,
    ):
        try:
            said, _ = process.communicate(f"{secret}\n{program}".encode("utf-8", "replace"), timeout=seconds)
        except subprocess.TimeoutExpired:
            return Verdict(False, "timeout")
        finally:
            process.kill()
    reason = said.decode(errors="replace")
    return Verdict(True) if reason == secret else Verdict(False, reason or "killed")
