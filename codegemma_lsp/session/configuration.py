"""The settings that a client has sent, and the settings that result from them."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.settings import Settings, section
from codegemma_lsp.settings.guarded import without_guarded
from codegemma_lsp.settings.sources import settings_from, without_effect


class Configuration:
    """The ``settings`` in force: what the client set, over the environment, the user's file and the defaults.

    Initialization options also say what the client can do. ``asks_instruction`` means that it can ask its user for an
    instruction, ``grows_suggestions`` that it can draw more of a suggestion that is on the screen, and
    ``finds_definitions`` that it can ask other language servers where names are defined. ``trusts_client``
    means that no setting of the client comes from a workspace.
    """

    def __init__(self) -> None:
        self.settings = Settings()
        self.asks_instruction = self.grows_suggestions = self.finds_definitions = False
        self.trusts_client = False
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

        A problem of the environment or of the user's file, a refused setting, or one without effect is
        returned only if the last call did not return it.
        """
        self._sent = raw
        given = {**self._initial, **section(raw)}
        own, refused = (given, ()) if self.trusts_client else without_guarded(given)
        self.settings, problems, below = settings_from(own)
        remarks = (*refused, *below, *without_effect(self.settings))
        fresh = tuple(remark for remark in remarks if remark not in self._reported)
        self._reported = remarks
        return (*problems, *fresh)

    def read_again(self) -> tuple[str, ...]:
        """Reads the environment and the user's file again, below what the client sent last. Returns a sentence for each
        new problem."""
        return self.update(self._sent)
