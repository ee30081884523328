"""Converts answers and proposals into the JSON of this server's methods, and streams an answer while it is
generated."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from codegemma_lsp.chat import Answer, OnDelta, Proposal, RequestRefused
from codegemma_lsp.document import file_path
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server


def on_delta(token: str | int | None) -> OnDelta:
    if token is None:
        return lambda _: None
    return lambda text: server.protocol.notify(types.PROGRESS, types.ProgressParams(token, {"text": text}))


def answer_json(answer: Answer) -> dict[str, Any]:
    edit = {} if answer.proposal is None else {"edit": proposal_json(answer.proposal)}
    return {"text": answer.text, "complete": answer.complete, **edit}


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    session = server.session
    if proposal.creates and not conversions.creates_files(server.client_capabilities):
        name = file_path(proposal.document.uri)
        raise RequestRefused(f"The editor cannot create {name} for an edit; create and open it, and ask again.")
    return {
        "label": proposal.label,
        "uri": proposal.document.uri,
        "text": proposal.text,
        "range": conversions.as_dict(conversions.range_(proposal.document, proposal.region, session.encoding)),
        "edit": conversions.as_dict(conversions.workspace_edit(proposal, session.encoding, server.client_capabilities)),
    }
