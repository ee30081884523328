"""``codegemma/state`` returns a diagnostic snapshot."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.server.app import server

STATE = "codegemma/state"


@server.feature(STATE)
def on_state(_: Any) -> dict[str, Any]:
    return server.session.state()
