"""What became of suggestions: shown, accepted, accepted in part."""

from __future__ import annotations

import logging
from typing import Any

from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server

log = logging.getLogger(__name__)

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"


@server.command(conversions.ACCEPT_COMMAND)
def on_accept(suggestion: Any) -> None:
    server.session.acceptance.accepted += 1
    log.info("accepted %s", suggestion)


@server.feature(DID_SHOW)
def on_did_show(params: Any) -> None:
    server.session.acceptance.shown += 1


@server.feature(DID_PARTIALLY_ACCEPT)
def on_did_partially_accept(params: Any) -> None:
    server.session.acceptance.partially_accepted += 1
