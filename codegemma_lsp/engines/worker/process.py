"""The program that owns the engines of one server: python -m codegemma_lsp.engines.worker.process

It reads calls from stdin and answers on stdout, and ends when its input does. Whatever a library prints goes to
stderr.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from codegemma_lsp import engines
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Generation, OnProgress
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.messages import TO_PROCESS, TO_SERVER, ToServer
from codegemma_lsp.engines.worker.service import Worker
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

SWITCH_S = 0.001
"""The maximum number of seconds for which the engine's thread may keep calls from being read."""


class _OwnEngines:
    """Engines of one server, each loaded for itself."""

    def __init__(self) -> None:
        self._gate = PriorityGate()

    def take(self, settings: Settings, on_progress: OnProgress) -> ScheduledEngine:
        engine = engines.load(settings, on_progress, gate=self._gate)
        assert isinstance(engine, ScheduledEngine)
        return engine

    def give_back(self, engine: ScheduledEngine) -> None:
        engine.close()

    def begin(self, engine: ScheduledEngine) -> None:
        """Nothing is noted."""

    def end(self, engine: ScheduledEngine, outcome: Generation | Exception) -> None:
        """Nothing is noted."""


def _sender(pipe: BinaryIO) -> Callable[[ToServer], None]:
    """Returns how any thread sends a message. One that nobody reads any more is dropped: this process is about to
    end."""
    door = threading.Lock()

    def send(message: ToServer) -> None:
        data = TO_SERVER.dump_json(message)
        with door:
            try:
                frames.write(pipe, data)
            except (OSError, ValueError):
                log.debug("the server has left")

    return send


def main() -> None:
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal also reaches the server, which decides
    sys.setswitchinterval(SWITCH_S)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker(_sender(out), _OwnEngines())
    while (message := frames.read(sys.stdin.buffer)) is not None:
        worker.take(TO_PROCESS.validate_json(message))
    os._exit(0)  # a model that is loading or writing is not waited for


if __name__ == "__main__":
    main()
