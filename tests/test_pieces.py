"""What is shown of a text that is still being written, at ``<CURSOR>``: the piece in ``⟦…⟧``."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.completion.pieces import piece_of
from codegemma_lsp.completion.postprocess import InsertionPoint
from codegemma_lsp.syntax import cursor_scope, extent_at, parse


def shown(document: str, written: str, language: str = "python") -> str:
    offset = document.index("<CURSOR>")
    text = document.replace("<CURSOR>", "")
    syntax = parse(text, language)
    scope = cursor_scope(syntax, offset)
    point = InsertionPoint(
        syntax=syntax,
        offset=offset,
        scope=scope,
        extent=extent_at(scope, text_follows=False),
        text=text,
        text_offset=offset,
        cut_off=True,
    )
    piece = piece_of(written, point)
    return f"{text[:offset]}⟦{piece.text}⟧{text[offset + piece.overwrites :]}"


@pytest.mark.parametrize(
    ("document", "written", "expected"),
    [
        pytest.param("x = <CURSOR>\n", "clien", snapshot("x = ⟦⟧\n"), id="half a word is none"),
        pytest.param("x = <CURSOR>\n", "client.", snapshot("x = ⟦client⟧\n"), id="a name"),
        pytest.param(
            "x = <CURSOR>\n", "client.send(requ", snapshot("x = ⟦client.send⟧\n"), id="the name of a call begun"
        ),
        pytest.param("x = <CURSOR>\n", "client.send(a, b)", snapshot("x = ⟦client.send(a, b)⟧\n"), id="a call"),
        pytest.param("x = <CURSOR>\n", '"two words', snapshot("x = ⟦⟧\n"), id="half a string is none"),
        pytest.param("x = <CURSOR>\n", '"two words"', snapshot('x = ⟦"two words"⟧\n'), id="a string"),
        pytest.param(
            "print(<CURSOR>)\n", "value, oth", snapshot("print(⟦value⟧)\n"), id="an argument, the bracket is there"
        ),
        pytest.param(
            "def f(a):\n    <CURSOR>\n    return a\n",
            "return ",
            snapshot("def f(a):\n    ⟦⟧\n    return a\n"),
            id="what may be the line below waits",
        ),
        pytest.param(
            "def f(a):\n    <CURSOR>\n",
            "for b in a",
            snapshot("def f(a):\n    ⟦⟧\n"),
            id="half a header is none",
        ),
        pytest.param(
            "def f(a):\n    <CURSOR>\n",
            "total = sum(a)\n    ret",
            snapshot("def f(a):\n    ⟦total = sum(a)⟧\n"),
            id="a line",
        ),
        pytest.param("# The <CURSOR>\n", "quick brown fo", snapshot("# The ⟦quick brown⟧\n"), id="words of a comment"),
    ],
)
def test_a_piece(document: str, written: str, expected: str) -> None:
    assert shown(document, written) == expected
