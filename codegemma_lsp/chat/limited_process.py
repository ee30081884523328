"""Runs a program with limits on its time and its output, and ends it with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from codegemma_lsp.chat import launcher
from codegemma_lsp.chat.runners import Runner
from codegemma_lsp.chat.types import RequestRefused

_MOST_WRITTEN = 20_000_000
"""The number of bytes of output from which a program is ended."""
_MOST_READ = 200_000
"""The number of bytes of a program's output that are read, from its end."""
_LOOK_EVERY_S = 0.05
_END_S = 10.0
"""The time in which the launcher has to kill all processes, in seconds."""


async def output_of(runner: Runner, folder: Path, path: Path, seconds: float) -> str:
    """Runs a program in a folder and returns the end of what it prints, which is kept in a file at ``path``.

    When it returns or is cancelled, all processes that the program started are ended: on Linux all, and elsewhere those
    of its process group. Raises ``RequestRefused`` if the program cannot be run, takes longer than ``seconds``, or
    prints too much.
    """
    if not os.access(runner.command[0], os.X_OK):
        raise RequestRefused(f"{runner.name} cannot be run (it is not executable); leave out --run.")
    with path.open("wb") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *_launched(runner.command),
                cwd=folder,
                env={**os.environ, **runner.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise RequestRefused(f"{runner.name} cannot be run ({error.strerror}); leave out --run.") from None
        try:
            await _ended(process, runner.name, path, seconds)
        finally:
            await _end(process)
    return await asyncio.to_thread(_read_end, path)


def _launched(command: tuple[str, ...]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return command
    return (sys.executable, "-I", "-S", str(Path(launcher.__file__).resolve()), str(os.getpid()), *command)


async def _ended(process: asyncio.subprocess.Process, name: str, path: Path, seconds: float) -> None:
    """Waits for the end of a program. Raises ``RequestRefused`` if it exceeds a limit."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while process.returncode is None:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _LOOK_EVERY_S)
        if _is_too_long(path):
            raise RequestRefused(f"{name} printed too much, so it was ended; the tests were not run.")
        if process.returncode is None and loop.time() > deadline:
            raise RequestRefused(
                f"{name} took more than {seconds:.0f} seconds, so it was ended; the tests were not run."
            )


def _is_too_long(path: Path) -> bool:
    return path.stat().st_size > _MOST_WRITTEN


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends a program and all that it started, also if the program itself has ended."""
    if sys.platform == "linux":
        with suppress(ProcessLookupError):
            process.terminate()  # the launcher kills the others
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_S)
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses a group that has just ended
            os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        process.kill()


def _read_end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_READ))
        return file.read().decode(errors="replace")
