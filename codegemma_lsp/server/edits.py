"""Asks the user of a client without ``codegemma/edit`` before an edit is applied."""

from __future__ import annotations

import asyncio
from difflib import unified_diff

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp.chat import Proposal, RequestRefused
from codegemma_lsp.document import NOT_OPEN, file_path
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import Server

_APPLY, _DISCARD = "Apply", "Discard"
_MOST_LINES = 30


async def offer(server: Server, proposal: Proposal) -> bool:
    """Returns whether the proposal was accepted and applied.

    If the client can show an edit before it is made, the client asks for confirmation. Otherwise the user sees the
    difference in a message. Raises ``RequestRefused`` if the document has changed.
    """
    if not conversions.confirms(server.client_capabilities) and not await _agreed(server, proposal):
        return False
    known = server.session.documents.get(proposal.document.uri)
    if known is not proposal.document and (known is not None or proposal.document.version != NOT_OPEN):
        raise RequestRefused("The document changed while the edit was shown; ask again.", stale=True)
    edit = conversions.workspace_edit(proposal, server.session.encoding, server.client_capabilities)
    try:
        # The request is shielded, because pygls cannot handle the answer to a cancelled one.
        params = types.ApplyWorkspaceEditParams(edit, proposal.label)
        answer = await asyncio.shield(server.workspace_apply_edit_async(params))
    except JsonRpcException as error:
        raise RequestRefused(f"The editor could not apply the edit ({error.message}).") from None
    return answer.applied


async def _agreed(server: Server, proposal: Proposal) -> bool:
    region = proposal.region
    before = proposal.document.text[region.start : region.end].splitlines()
    lines = list(unified_diff(before, proposal.text.splitlines(), lineterm="", n=1))[2:]
    if proposal.imports is not None:
        lines = [*(f"+{line}" for line in proposal.imports.text.strip().splitlines()), *lines]
    more = [f"… {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    name = file_path(proposal.document.uri)
    message = "\n".join([f"{proposal.label} ({name}):", *lines[:_MOST_LINES], *more])
    actions = [types.MessageActionItem(_APPLY), types.MessageActionItem(_DISCARD)]
    params = types.ShowMessageRequestParams(types.MessageType.Info, message, actions)
    try:
        answer = await asyncio.shield(server.window_show_message_request_async(params))
    except JsonRpcException:
        return False
    return answer is not None and answer.title == _APPLY
