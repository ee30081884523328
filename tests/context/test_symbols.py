"""Which names an editor is asked of, and where they stand."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context import symbols_near
from codegemma_lsp.document import Document


def asked(marked: str, path: str = "main.py") -> list[str]:
    """The names for a cursor, each with its value."""
    offset = marked.index("<CURSOR>")
    text = marked.replace("<CURSOR>", "")
    symbols = symbols_near(Document(uri=f"file:///{path}", text=text, language=""), offset, path)
    assert all(text.startswith(symbol.name, symbol.offset) for symbol in symbols)
    return [f"{symbol.name} {symbol.value}" for symbol in symbols]


def test_the_object_before_a_dot_comes_first_then_the_open_call_then_the_nearest_names() -> None:
    text = "def sell(item, count):\n    total = count\n    pay(shop.till.<CURSOR>\n"
    assert asked(text) == snapshot(
        ["till 1.0", "pay 0.95", "shop 0.85", "count 0.7", "total 0.7", "item 0.7", "sell 0.7"]
    )


def test_of_a_method_that_is_called_the_method_is_meant_and_not_its_object() -> None:
    text = "till = open()\ntill.add(<CURSOR>\n"
    offset = text.index("<CURSOR>")
    first, *_ = symbols_near(Document(uri="file:///a.py", text=text.replace("<CURSOR>", "")), offset, "a.py")
    assert (first.name, first.offset) == ("add", text.index("add"))


def test_keywords_strings_and_comments_are_no_names() -> None:
    text = "# of a comment\ndef f(order):\n    '''Of a string.'''\n    if order is None and not 'words':\n<CURSOR>\n"
    assert asked(text) == snapshot(["order 0.7", "f 0.7"])


def test_names_far_away_are_not_asked_for() -> None:
    assert asked("far = 1\n" + "\n" * 8 + "near = 1\n<CURSOR>\n" + "\n" * 8 + "below = 1\n") == ["near 0.7"]


def test_at_most_eight_names_are_asked_for() -> None:
    assert len(asked("f(a, b, c, d, e, g, h, i, j, k)\n<CURSOR>")) == 8


@pytest.mark.parametrize("path", ["notes.txt", "data.json"])
def test_a_text_without_names_has_none(path: str) -> None:
    assert asked("price total\n<CURSOR>", path) == []


def test_ends_of_lines_of_windows_shift_nothing() -> None:
    assert asked("near = 1\r\nsum(<CURSOR>\r\nbelow = 1\r\n") == snapshot(["sum 0.95", "below 0.7", "near 0.7"])


def test_a_line_of_a_megabyte_takes_no_longer() -> None:
    line = "x = y; " * 150_000
    assert asked(f"{line}\nnear(<CURSOR>\n{line}")[0] == "near 0.95"
    assert asked(f"{line}near(<CURSOR>{line}")[0] == "near 0.95"


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("a.ts", "const total = (order: Order) => order.<CURSOR>"),
        ("a.java", "class A { int f(Order order) { return order.<CURSOR> } }"),
        ("a.kt", "fun f(order: Order) = order.<CURSOR>"),
        ("a.c", "int f(struct Order *order) { return order-><CURSOR>; }"),
        ("a.cpp", "int f(Order& order) { return order.<CURSOR>; }"),
        ("a.cs", "class A { int F(Order order) { return order.<CURSOR>; } }"),
        ("a.rs", "fn f(order: &Order) -> u32 { order.<CURSOR> }"),
        ("a.go", "package a\nfunc f(order *Order) int { return order.<CURSOR> }"),
        ("a.rb", "def f(order)\n  Order.check\n  order.<CURSOR>\nend"),
        ("a.php", "<?php function f(Order $order) { return $order-><CURSOR>; }"),
        ("a.lua", "local Order = order\nreturn order.<CURSOR>"),
    ],
)
def test_every_language_has_names(path: str, marked: str) -> None:
    names = {name.split()[0] for name in asked(marked, path)}
    assert {"order", "Order"} <= names
