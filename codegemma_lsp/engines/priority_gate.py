"""Decides which of several engines on one machine may run: completions before chat, chat before prefetching."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from codegemma_lsp.engines.protocol import Priority

_LOOK_AGAIN_S = 0.05
"""The number of seconds after which a wait checks whether it was given up."""


class PriorityGate:
    """Keeps what runs on the engines that share it. Their threads call it."""

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
        """Returns whether a request with a lower number runs on another engine. It takes no lock, because it is called
        hundreds of times a token."""
        return any(other is not engine and theirs < priority for other, theirs in self._running)

    def wait(self, engine: object, priority: Priority, given_up: Callable[[], bool]) -> None:
        """Returns when no request with a lower number runs on another engine, or when ``given_up`` returns True."""
        while self.comes_after(engine, priority) and not given_up():
            with self._changed:
                if self.comes_after(engine, priority):
                    self._changed.wait(_LOOK_AGAIN_S)
