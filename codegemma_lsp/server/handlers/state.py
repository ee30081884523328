"""``codegemma/state``: a diagnostic snapshot."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.server.app import server
from codegemma_lsp.session import engine_state

STATE = "codegemma/state"


@server.feature(STATE)
def on_state(_: Any) -> dict[str, Any]:
    chat = server.assistant.keeper.engine
    return {**server.session.state(), "chat": engine_state(chat) if chat is not None else None}
