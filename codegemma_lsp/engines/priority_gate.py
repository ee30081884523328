"""Whose turn it is, where several engines share one machine: completions before chat, chat before work ahead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from codegemma_lsp.engines.protocol import Priority

_LOOK_AGAIN_S = 0.05
"""Seconds after which a wait looks whether it was given up."""


class PriorityGate:
    """What runs on the engines that share it. Called by their threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: tuple[tuple[object, Priority], ...] = ()

    @contextmanager
    def running(self, engine: object, priority: Priority) -> Iterator[None]:
        entry = (engine, priority)
        with self._changed:
            self._running = (*self._running, entry)
        try:
            yield
        finally:
            with self._changed:
                self._running = tuple(other for other in self._running if other is not entry)
                self._changed.notify_all()

    def comes_after(self, engine: object, priority: Priority) -> bool:
        """Whether something of a lower number runs on another engine. Asked hundreds of times a token: no lock."""
        return any(other is not engine and theirs < priority for other, theirs in self._running)

    def wait(self, engine: object, priority: Priority, given_up: Callable[[], bool]) -> None:
        """Returns when nothing of a lower number runs on another engine any more, or ``given_up`` says so."""
        while self.comes_after(engine, priority) and not given_up():
            with self._changed:
                if self.comes_after(engine, priority):
                    self._changed.wait(_LOOK_AGAIN_S)
