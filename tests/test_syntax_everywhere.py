"""No cursor in any program makes the syntax rules fail: every prefix of real code, in every language."""

from __future__ import annotations

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
        assert cursor_scope(syntax, offset) is not None


@pytest.mark.parametrize("path", [*SAMPLES, ROOT / "tests/data/cart.js"], ids=lambda path: path.name)
def test_every_prefix(path: Path) -> None:
    text = path.read_text("utf-8")
    language = find_language("", path.name)
    assert language is not None
    syntax = None
    for offset in range(len(text) + 1):
        part = excerpt(text[:offset], offset, language)
        syntax = parse(part.text, language.name, syntax)
        scope = cursor_scope(syntax, part.offset)
        whole = parse(text, language.name)
        for extent in {extent_at(scope, text_follows=False), Extent.STATEMENT, Extent.BLOCK}:
            end = completion_end(whole, offset, scope, extent)
            assert end is None or offset <= end <= len(text)
