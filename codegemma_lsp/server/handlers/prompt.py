"""``codegemma/prompt`` returns the prompt for a cursor, for people who want to inspect it."""

from __future__ import annotations

from typing import Any

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.errors import translates_errors
from codegemma_lsp.server.params import MalformedParams
from codegemma_lsp.server.targets import query_at

PROMPT = "codegemma/prompt"


@server.feature(PROMPT)
@translates_errors
async def on_prompt(raw: Any) -> dict[str, str]:
    """Answers ``{textDocument: {uri}, position}`` with ``{text}``, a page in Markdown."""
    where = conversions.place(raw)
    if where is None:
        raise MalformedParams("codegemma/prompt needs a textDocument and a position.")
    query = query_at(*where)
    if query is None:
        raise RequestRefused("The document is not open; open it in the editor first.")
    explanation = await server.session.completions.explain(query, server.session.settings)
    return {"text": explanation.as_markdown()}
