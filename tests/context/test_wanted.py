"""The names at a cursor that another file may explain."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context.wanted import open_call, wanted_names


def wanted(marked: str) -> list[str]:
    offset = marked.index("<CURSOR>")
    return [one.name for one in wanted_names(marked.replace("<CURSOR>", ""), offset)]


def test_the_type_before_a_dot_comes_first_and_far_names_last() -> None:
    text = "far = 1\n" + "\n" * 30 + "def sell(item: Item, count):\n    total = count\n    return item.<CURSOR>\n"
    assert wanted(text) == snapshot(["Item", "item", "return", "total", "count", "def", "sell", "far"])


def test_of_a_long_line_only_what_is_near_the_cursor_is_looked_at() -> None:
    line = "far = 1; " + "x;" * 1000
    assert wanted(f"{line}\n{line}near = build(<CURSOR>)") == snapshot(["build", "x", "near"])


def test_the_offset_holds_behind_what_is_left_out() -> None:
    above = "y" * 200_000 + "\n"
    assert wanted(f"{above}a = Shop()\na.<CURSOR>")[0] == "Shop"
    assert open_call("f(" + "x" * 10, 12) == "f"


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "x.",
        "x ",
        "A ",
        "A<",
        "(",
        "\n",
        "class A(\n",
        "class a ",
        "except ",
        "x: ",
        "with x(",
        "a, ",
        "x->",
        "{[(",
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_no_text_takes_the_longer_the_longer_it_is(unit: str, end: str) -> None:
    """A pattern that is quadratic in the text would take hours here, and the limit of a test is a minute."""
    text = unit * (3_000_000 // len(unit)) + end
    for tail in ("x", "x.", "self.x.", "f(x"):
        wanted_names(text + tail, len(text + tail))
