"""``codegemma/engines`` returns where the engines run."""

from __future__ import annotations

import asyncio
from typing import Any

from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors

ENGINES = "codegemma/engines"


@server.feature(ENGINES)
@translates_errors
async def on_engines(_: Any) -> dict[str, Any] | None:
    """Answers with the process of the engines, or None if there is none, as while a model of a server is used."""
    found = await asyncio.to_thread(server.whereabouts)
    if found is None:
        return None
    return {
        "message": found.sentence,
        "process": found.process,
        "memory": found.memory,
        "windows": found.windows,
    }
