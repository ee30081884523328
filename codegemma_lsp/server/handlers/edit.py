"""``codegemma/edit`` proposes an edit and applies nothing."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.server.answers import on_delta, proposal_json
from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import EditParams, read_params
from codegemma_lsp.server.targets import edit_action, edit_target

EDIT = "codegemma/edit"


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
