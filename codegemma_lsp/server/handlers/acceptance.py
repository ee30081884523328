"""Notes what became of suggestions: which were shown, accepted, accepted in part, and dismissed."""

from __future__ import annotations

import logging
from typing import Any

from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server

log = logging.getLogger(__name__)

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"
DID_DISMISS = "codegemma/didDismiss"


@server.command(conversions.ACCEPT_COMMAND)
def on_accept(suggestion: Any) -> None:
    server.session.accept(str(suggestion))
    log.info("accepted %s", suggestion)


@server.feature(DID_SHOW)
def on_did_show(params: Any) -> None:
    server.session.acceptance.shown += 1


@server.feature(DID_PARTIALLY_ACCEPT)
def on_did_partially_accept(params: Any) -> None:
    """Handles ``{item, acceptedLength}``, where the length counts UTF-16 units from the start of the item's text."""
    server.session.accept_partially(conversions.item_id(params) or "", conversions.accepted_length(params))


@server.feature(DID_DISMISS)
def on_did_dismiss(params: Any) -> None:
    """Handles ``{itemId}`` from editors whose users can hide a suggestion."""
    item = conversions.item_id(params)
    if item is not None:
        server.session.dismiss(item)
