"""``codegemma/definitions``: asks the client what its other language servers say of the names near a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codegemma_lsp.context import DefinitionPlace
from codegemma_lsp.document import Document, Encoding
from codegemma_lsp.server import conversions
from codegemma_lsp.server.params import DefinitionParams, MalformedParams, read_params
from codegemma_lsp.server.protocol import Protocol

DEFINITIONS = "codegemma/definitions"
_MOST_PLACES = 4
"""The number of definitions of a name that are read."""


async def ask_definitions(
    protocol: Protocol, document: Document, offsets: Sequence[int], encoding: Encoding
) -> list[tuple[DefinitionPlace, ...]] | None:
    """Returns the places that the client names for each offset (code points), or None if its document is another one
    by now. Raises ``JsonRpcException`` and ``MalformedParams``."""
    positions = [document.position(offset, encoding) for offset in offsets]
    params = {
        "textDocument": {"uri": document.uri, "version": document.version},
        "positions": [{"line": one.line, "character": one.character} for one in positions],
    }
    answer = await protocol.ask(DEFINITIONS, params)
    return None if answer is None else read_definitions(answer, len(offsets), encoding)


def read_definitions(answer: Any, count: int, encoding: Encoding) -> list[tuple[DefinitionPlace, ...]]:
    """Returns the places in an answer, which is to have a list for each of ``count`` positions. Raises
    ``MalformedParams``."""
    if not isinstance(answer, list) or len(answer) != count or not all(isinstance(one, list) for one in answer):
        raise MalformedParams(f"The answer to {DEFINITIONS} is not a list of lists, one for each position.")
    return [tuple(_place(item, encoding) for item in one[:_MOST_PLACES]) for one in answer]


def _place(item: Any, encoding: Encoding) -> DefinitionPlace:
    told = read_params(DefinitionParams, item)
    if told.range is None and told.text is None:
        raise MalformedParams("A definition needs a range or a text.")
    start = conversions.position(told.range.start) if told.range is not None else None
    return DefinitionPlace(uri=told.uri, start=start, encoding=told.encoding or encoding, text=told.text or "")
