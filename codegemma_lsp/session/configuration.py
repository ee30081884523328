"""The settings that a client has sent, and the settings that result from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codegemma_lsp.settings import Settings, section
from codegemma_lsp.settings.sources import settings_from, without_effect
from codegemma_lsp.settings.workspace_files import without_workspace_settings


class Configuration:
    """The ``settings`` in force: what the client set, over the environment, the user's file and the defaults.

    Initialization options also say what the client can do. ``asks_instruction`` means that it can ask its user for an
    instruction, ``grows_suggestions`` that it can draw more of a suggestion that is on the screen, and
    ``finds_definitions`` that it can ask other language servers where names are defined. ``folders`` are those of the
    workspace, whose own files cannot set what is loaded or where prompts go.
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.asks_instruction = self.grows_suggestions = self.finds_definitions = False
        self.folders: Sequence[Path] = ()
        self._initial: dict[str, Any] = {}
        self._sent: object = None
        self._reported: tuple[str, ...] = ()

    def initialize(self, options: object) -> tuple[str, ...]:
        """Takes the initialization options. Returns a sentence for each problem."""
        self._initial = dict(section(options))
        self.asks_instruction = bool(self._initial.pop("asksInstruction", False))
        self.grows_suggestions = bool(self._initial.pop("growsSuggestions", False))
        self.finds_definitions = bool(self._initial.pop("findsDefinitions", False))
        return self.update(None)

    def update(self, raw: object) -> tuple[str, ...]:
        """Takes settings over those of initialization. A null removes what initialization set. Returns a sentence for
        each problem.

        A problem of the environment or of the user's file, a setting of the workspace, or one without effect is
        returned only if the last call did not return it.
        """
        self._sent = raw
        own, refused = without_workspace_settings({**self._initial, **section(raw)}, self.folders)
        self.settings, problems, below = settings_from(own)
        remarks = (*refused, *below, *without_effect(self.settings))
        fresh = tuple(remark for remark in remarks if remark not in self._reported)
        self._reported = remarks
        return (*problems, *fresh)

    def read_again(self) -> tuple[str, ...]:
        """Reads the environment and the user's file again, below what the client sent last. Returns a sentence for each
        new problem."""
        return self.update(self._sent)
