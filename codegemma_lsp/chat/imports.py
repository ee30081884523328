"""The imports of new code, which go to those of the file."""

from __future__ import annotations

from codegemma_lsp.chat.code import LONGEST_PARSED
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.syntax import parse, statements


def imports_apart(text: str, code: str, language: str) -> tuple[Edit, str]:
    """Returns the edit that adds the imports of new code to those of a text, and the code without its imports."""
    found = statements(parse(code, language, most=LONGEST_PARSED))
    there = statements(parse(text, language, most=LONGEST_PARSED))
    wanted = [code[one.span.start : one.span.end] for one in found if one.is_import]
    missing = [line for line in wanted if line not in text]
    for one in reversed([one for one in found if one.is_import]):
        code = code[: one.span.start] + code[one.span.end :].lstrip("\n")
    last = next((one.span.end for one in reversed(there) if one.is_import), None)
    at = last if last is not None else 0
    added = "".join(f"\n{line}" for line in missing) if last is not None else "".join(f"{line}\n" for line in missing)
    return Edit(Span(at, at), added), code.strip("\n")
