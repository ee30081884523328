"""The server with a timer for its event loop: ``python -m codegemma_lsp.benchmarks.typing.loop_profiler serve``.

``codegemma/bench/loop`` returns the milliseconds of each callback since the last such request.
"""

from __future__ import annotations

import time
from asyncio import events
from typing import Any

from codegemma_lsp.server import serve, server

_times: list[float] = []
_run = events.Handle._run


def _timed(handle: events.Handle) -> None:
    began = time.perf_counter()
    _run(handle)
    _times.append(1000 * (time.perf_counter() - began))


@server.feature("codegemma/bench/loop")
def on_loop(params: Any) -> list[float]:
    found = _times[:]
    _times.clear()
    return found


if __name__ == "__main__":
    events.Handle._run = _timed  # type: ignore[assignment,method-assign]
    serve()
