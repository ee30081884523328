"""Notifies the client of suggestions that have grown, but never before the response that contains them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from lsprotocol import types

from codegemma_lsp.session.completions import Growth

GREW = "codegemma/suggestionGrew"
_MOST_REMEMBERED = 32


class GrowthNotifier:
    """Delays notifications until the response is sent. The model may generate more between a suggestion and its
    response."""

    def __init__(self, notify: Callable[[str, dict[str, Any]], None]) -> None:
        self._notify = notify
        self._answered: deque[str] = deque(maxlen=_MOST_REMEMBERED)
        self._early: dict[str, Growth] = {}

    def grew(self, growth: Growth) -> None:
        if growth.suggestion.id in self._answered:
            self._send(growth)
        else:
            self._early[growth.query.document.uri] = growth
            while len(self._early) > _MOST_REMEMBERED:
                del self._early[next(iter(self._early))]

    def answered(self, response: types.InlineCompletionList) -> None:
        """Sends what has grown since the suggestions of a response, which has been sent, were made."""
        commands = [item.command for item in response.items if item.command is not None]
        ids = [str(command.arguments[0]) for command in commands if command.arguments]
        self._answered.extend(ids)
        for uri, growth in list(self._early.items()):
            if growth.suggestion.id in ids:
                self._send(self._early.pop(uri))

    def _send(self, growth: Growth) -> None:
        document, suggestion = growth.query.document, growth.suggestion
        told = {"uri": document.uri, "version": document.version}
        self._notify(GREW, {"textDocument": told, "itemId": suggestion.id, "text": suggestion.text})
