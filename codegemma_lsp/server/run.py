"""Runs the server over stdio."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from typing import Any, BinaryIO, cast

from lsprotocol import types

from codegemma_lsp.server.app import leave, server

log = logging.getLogger(__name__)

_SWITCH_S = 0.001
"""The maximum number of seconds for which the planning thread may keep the event loop from running."""
_HEADER = re.compile(rb"(?:(?P<name>[\w-]+):[ \t]*(?P<value>[^\r\n]*?)[ \t]*)?\r?\n")
_LONGEST_HEADER = 8192
_MOST_BYTES = 2**30
"""The number of bytes of a message that is taken for one: buffers of any size a header names would be asked for."""
_INTERRUPTED = 130
"""The exit code after Ctrl+C, as in a shell."""


def serve(log_level: str = "warning", *, trusts_client: bool = False) -> None:
    """Serves over stdio until the client leaves. ``trusts_client`` means that no setting of the client comes from a
    workspace.

    Only the protocol reaches stdout. What a library prints there goes to stderr. pygls logs whole messages, so its
    loggers are silent unless the level is ``debug``.
    """
    level = logging.getLevelNamesMapping()[log_level.upper()]
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if level > logging.DEBUG:
        for name in ("pygls", "lsprotocol"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.setswitchinterval(_SWITCH_S)
    _warm_converter()
    protocol_out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, _interrupt)
    if trusts_client:
        server.session.trust_client()
    protocol_in = ProtocolInput(sys.stdin.buffer)
    try:
        server.start_io(cast(BinaryIO, protocol_in), protocol_out)
    finally:
        server.session.close_now()
    leave(0 if server.protocol.left_properly and not protocol_in.is_lost else 1)


def _interrupt(*_: Any) -> None:
    """Ends the process at once, because a normal exit would wait for the thread that reads the input."""
    os.write(sys.stderr.fileno(), b"codegemma-lsp: Interrupted.\n")
    os._exit(_INTERRUPTED)


class ProtocolInput:
    """Standard input as pygls reads it, header by header, with the headers in the one form that pygls knows.

    Header names may be in any case, and lines may end in LF alone. Where it cannot be told any more where a message
    begins, input ends and ``is_lost`` is set: an editor starts a server again that has left, and not one that is deaf.
    Somebody who types at a terminal is only told.
    """

    def __init__(self, stdin: BinaryIO) -> None:
        self._stdin = stdin
        self._has_told = False
        self._headers_have_ended = False
        self.is_lost = False

    def readline(self) -> bytes:
        """Returns the header with a body's length, then an empty line, and nothing at the end of input."""
        if self._headers_have_ended:
            self._headers_have_ended = False
            return b"\r\n"
        size = self._body_size()
        if size is None:
            return b""
        self._headers_have_ended = True
        return b"Content-Length: %d\r\n" % size

    def read(self, size: int) -> bytes:
        return self._stdin.read(size)

    def _body_size(self) -> int | None:
        """Reads the headers of a message. Returns the bytes of its body, or None at the end of input."""
        size: int | None = None
        while line := self._stdin.readline(_LONGEST_HEADER):
            header = _HEADER.fullmatch(line)
            if header is None:
                problem = "a line that is no header of a Language Server Protocol message"
            elif header["name"] is None:
                if size is not None:
                    return size
                continue
            elif header["name"].lower() != b"content-length":
                continue
            elif _is_size(header["value"]):
                size = int(header["value"])
                continue
            else:
                problem = "a Content-Length that is no number of bytes of a message"
            if not self._goes_on_after(problem):
                return None
            size = None
        return None

    def _goes_on_after(self, problem: str) -> bool:
        is_typed = self._stdin.isatty()
        if not is_typed or not self._has_told:
            self._has_told = True
            ending = "it is ignored" if is_typed else "what follows cannot be told apart, so the server leaves"
            log.error("stdin has %s; %s", problem, ending)
        self.is_lost = not is_typed
        return is_typed


def _is_size(value: bytes) -> bool:
    return value.isdigit() and len(value) <= len(str(_MOST_BYTES)) and 0 < int(value) <= _MOST_BYTES


def _warm_converter() -> None:
    """Makes cattrs generate its code for the messages of typing now, because that takes milliseconds for the first
    message of each kind."""
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
        server.protocol.structured({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
