"""Work that cleans up when the system ends the program."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_until_signal(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine, which SIGTERM and SIGHUP cancel, and returns its result. Raises ``SystemExit`` with 128 and the
    number of the signal after it was cancelled."""
    if sys.platform == "win32":
        return runner.run(work)
    received: list[int] = []

    async def watched() -> T:
        task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()

        def end(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
        try:
            return await task
        finally:
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    try:
        return runner.run(watched())
    except asyncio.CancelledError:
        if received:
            sys.exit(128 + received[0])
        raise
