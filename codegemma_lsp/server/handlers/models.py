"""``codegemma/models`` lists models, ``codegemma/useModel`` chooses one, and ``codegemma/pullModel`` downloads one."""

from __future__ import annotations

import asyncio
from typing import Any

from codegemma_lsp.models.listing import Row, check_use, list_models
from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import PullModelParams, UseModelParams, read_params
from codegemma_lsp.server.progress import transfer_progress
from codegemma_lsp.settings import Settings, sources

LIST = "codegemma/models"
USE = "codegemma/useModel"
PULL = "codegemma/pullModel"


@server.feature(LIST)
@translates_errors
async def on_models(_: Any) -> dict[str, Any]:
    """Returns ``{models: [{name, about, use, ...}]}``, the rows that ``codegemma-lsp models list`` shows."""
    rows = await asyncio.to_thread(list_models, server.session.settings)
    return {"models": [_row_json(row) for row in rows]}


@server.feature(USE)
@translates_errors
async def on_use_model(raw: Any) -> dict[str, Any]:
    """Answers ``{name, chat?}`` with ``{message}``. The choice is saved in the user's file and takes effect at once."""
    asked = read_params(UseModelParams, raw)
    setting = "chatModel" if asked.chat else "model"
    await asyncio.to_thread(check_use, asked.name, chat=asked.chat)
    await asyncio.to_thread(sources.save, setting, asked.name)
    server.read_settings_again()
    return {"message": _chosen(asked)}


@server.feature(PULL)
@translates_errors
async def on_pull_model(raw: Any) -> dict[str, Any]:
    """Answers ``{name, workDoneToken?}`` with ``{path}``. The model is downloaded if it is missing."""
    asked = read_params(PullModelParams, raw)
    task = asyncio.current_task()
    assert task is not None
    with transfer_progress(server, asked.work_done_token, f"Downloading {asked.name}", task.cancel) as on_progress:
        path = await server.session.downloads.pull(asked.name, on_progress)
    return {"path": str(path)}


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "about": row.about,
        "use": row.purpose,
        "size": row.size,
        "memory": row.memory,
        "licence": row.licence,
        "licencePage": row.licence_page,
        "installed": row.here,
        "inUse": bool(row.in_use),
        "usedFor": row.in_use,
        "fits": row.fits,
    }


def _chosen(asked: UseModelParams) -> str:
    """Returns what was chosen, and which setting overrides it if there is one."""

    def model(settings: Settings) -> str:
        return settings.chat_model if asked.chat else settings.model

    purpose = "chat and edits" if asked.chat else "completion"
    effective = model(server.session.settings)
    if effective == asked.name:
        return f"{asked.name} is used for {purpose} now."
    setting, variable = ("chatModel", "CODEGEMMA_CHAT_MODEL") if asked.chat else ("model", "CODEGEMMA_MODEL")
    below, _, _ = sources.settings_from({})
    first = f"the environment variable {variable}" if model(below) == effective else f"this editor's setting {setting}"
    return f"{asked.name} is saved for {purpose}, but {first} goes before it: {effective}."
