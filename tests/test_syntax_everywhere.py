"""No cursor in any program makes the syntax rules fail: every prefix of real code, in every language."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from codegemma_lsp.syntax import Extent, completion_end, cursor_scope, excerpt, extent_at, find_language, parse

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "tests" / "data" / "samples").iterdir())


@pytest.mark.parametrize("path", [*SAMPLES, ROOT / "tests/data/cart.js"], ids=lambda path: path.name)
def test_every_cursor(path: Path) -> None:
    text = path.read_text("utf-8")
    language = find_language("", path.name)
    assert language is not None
    syntax = parse(text, language.name)
    assert syntax.error_count == 0
    for offset in range(len(text) + 1):
        headers = cursor_scope(syntax, offset).headers
        assert all(0 <= span.start < span.end <= len(text) for span in headers)
        assert all(span.start <= offset for span in headers)
        assert all(above.end <= below.start for above, below in pairwise(headers))


@pytest.mark.parametrize("path", [*SAMPLES, ROOT / "tests/data/cart.js"], ids=lambda path: path.name)
def test_every_prefix(path: Path) -> None:
    text = path.read_text("utf-8")
    language = find_language("", path.name)
    assert language is not None
    syntax, ends = None, 0
    for offset in range(len(text) + 1):
        part = excerpt(text[:offset], offset, language)
        syntax = parse(part.text, language.name, syntax)
        scope = cursor_scope(syntax, part.offset)
        whole = parse(text, language.name)
        for extent in {extent_at(scope, text_follows=False), Extent.STATEMENT, Extent.BLOCK}:
            end = completion_end(whole, offset, scope, extent)
            if end is not None:
                assert offset <= end <= len(text)
                ends += 1
    assert ends
