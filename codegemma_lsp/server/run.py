"""Serving over stdio."""

from __future__ import annotations

import logging
import os
import sys

from lsprotocol import types

from codegemma_lsp.server.app import server

_SWITCH_S = 0.001
"""Longest time for which the planning thread may keep the event loop from running."""


def serve(log_level: str = "warning") -> None:
    """Serves over stdio until the client leaves. Nothing but the protocol reaches stdout: what any library prints
    there goes to stderr. pygls logs whole messages, so it is silent unless at ``debug``."""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if level > logging.DEBUG:
        for name in ("pygls", "lsprotocol"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.setswitchinterval(_SWITCH_S)
    _warm_converter()
    protocol_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        server.start_io(sys.stdin.buffer, protocol_out)
    finally:
        server.session.close_now()
    sys.exit(0 if server.protocol.left_properly else 1)


def _warm_converter() -> None:
    """Has cattrs write its code for the messages of typing now: it takes milliseconds for the first of each kind."""
    document, zero = {"uri": "", "version": 0}, {"line": 0, "character": 0}
    changes = [{"range": {"start": zero, "end": zero}, "text": ""}, {"text": ""}]
    for method, params in (
        (types.TEXT_DOCUMENT_DID_OPEN, {"textDocument": {**document, "languageId": "", "text": ""}}),
        (types.TEXT_DOCUMENT_DID_CHANGE, {"textDocument": document, "contentChanges": changes}),
        (
            types.TEXT_DOCUMENT_INLINE_COMPLETION,
            {"textDocument": document, "position": zero, "context": {"triggerKind": 1}, "id": 0},
        ),
    ):
        server.protocol.structure_message({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
