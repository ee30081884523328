"""What the client said of settings, and the settings that come of it."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.settings import Settings, section
from codegemma_lsp.settings.sources import settings_from


class Configuration:
    """``settings`` are those in force: what the client set over the environment, the user's file and the defaults.
    ``asks_instruction``: the client can ask its user for one, and says so in the initialization options."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.asks_instruction = False
        self._initial: dict[str, Any] = {}
        self._reported: tuple[str, ...] = ()

    def initialize(self, options: object) -> tuple[str, ...]:
        """Takes the initialization options. Returns a sentence for each problem."""
        self._initial = dict(section(options))
        self.asks_instruction = bool(self._initial.pop("asksInstruction", False))
        return self.update(None)

    def update(self, raw: object) -> tuple[str, ...]:
        """Takes settings over those of initialization; a null takes back what initialization said. Returns a sentence
        for each problem; of environment and file only those that were not returned before."""
        self.settings, problems, below = settings_from({**self._initial, **section(raw)})
        fresh = tuple(problem for problem in below if problem not in self._reported)
        self._reported = below
        return (*problems, *fresh)
