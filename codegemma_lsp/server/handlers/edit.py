"""``codegemma/edit`` and ``codegemma/applyCode`` propose an edit, and apply nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from codegemma_lsp.chat import apply_code
from codegemma_lsp.server.answers import on_delta, proposal_json
from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import ApplyCodeParams, EditParams, SelectionParams, read_params
from codegemma_lsp.server.targets import edit_action, edit_target, target_from

EDIT = "codegemma/edit"
APPLY = "codegemma/applyCode"


@server.feature(EDIT)
@translates_errors
async def on_edit(raw: Any) -> dict[str, Any]:
    """Answers ``{uri, range, version?, action?, instruction?, diagnostics?, partialResultToken?}`` with ``{label, text,
    range, edit}``."""
    asked = read_params(EditParams, raw)
    proposal = await server.session.conversations.propose(
        edit_action(asked.action), edit_target(asked), on_delta(asked.partial_result_token)
    )
    return proposal_json(proposal)


@server.feature(APPLY)
@translates_errors
async def on_apply_code(raw: Any) -> dict[str, Any]:
    """Answers ``{uri, range, version?, code}`` as ``codegemma/edit`` does."""
    asked = read_params(ApplyCodeParams, raw)
    target = target_from(SelectionParams(uri=asked.uri, range=asked.range, version=asked.version))
    return proposal_json(await asyncio.to_thread(apply_code, target, asked.code))
