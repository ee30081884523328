"""Which part of a long document the prompt shows, and how it stays while one types, so that prompts only grow."""

from __future__ import annotations

import re

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.prompt import Layout
from tests.prompt.story import Infill, infill


def lines(first: int, last: int) -> str:
    """Numbered lines, each of which is 2 tokens."""
    return "".join(f"line{number:03}\n" for number in range(first, last))


def summary(found: Infill) -> str:
    """The prompt, of whose numbered lines each run is shown by its first and its last."""
    rows = str(found).split("\n")
    numbered = [re.fullmatch(r"line\d+", row) is not None for row in ["", *rows, ""]]
    return "\n".join(row for row, *run in zip(rows, numbered, numbered[1:], numbered[2:], strict=False) if not all(run))


def test_the_head_lies_at_a_multiple_of_its_step() -> None:
    found = infill(f"{lines(0, 100)}x<CURSOR>", tokens=104)
    assert summary(found) == snapshot("""\
<bos><|fim_prefix|>line064
line065
line099
<|fim_suffix|><|fim_middle|>x\
""")
    assert found.window.head == len(lines(0, 64))


def test_the_head_leaves_an_eighth_free_for_new_lines() -> None:
    found = infill(f"{lines(0, 100)}<CURSOR>", tokens=104, budget={"head_step": 1})
    # 104 tokens less 4 special ones, one between the texts, and 12 that are left free.
    assert found.window.before == lines(100 - 87 // 2, 100)


def test_the_suffix_takes_a_quarter_in_whole_lines() -> None:
    assert summary(infill(f"x<CURSOR>\n{lines(0, 100)}", tokens=104)) == snapshot("""\
<bos><|fim_prefix|><|fim_suffix|>
line000
line011
<|fim_middle|>x\
""")


def test_the_suffix_may_have_another_share() -> None:
    assert summary(infill(f"x<CURSOR>\n{lines(0, 100)}", tokens=104, budget={"suffix_share": 0.1})) == snapshot("""\
<bos><|fim_prefix|><|fim_suffix|>
line000
line003
<|fim_middle|>x\
""")


def test_a_line_too_long_for_the_suffix_is_cut() -> None:
    # 31 characters, the 128th part of the longest that is looked at, are 16 tokens.
    assert infill("x<CURSOR>" + " y" * 5000, tokens=104).window.suffix == " y" * 15 + " "
    assert infill("x<CURSOR>" + " y" * 5000, tokens=4 + 64).window.suffix == " y" * 15 + " "
    assert infill("x<CURSOR>" + " y" * 5000, tokens=4 + 63).window.suffix == " y" * 7 + " "


def test_a_line_too_long_for_the_window_is_cut_at_a_multiple() -> None:
    found = infill("y " * 5000 + "<CURSOR>", tokens=504)
    assert (found.window.head, found.window.anchor) == snapshot((9500, 9500))


def test_of_a_line_too_long_the_end_before_the_cursor_is_shown() -> None:
    found = infill("a = 1\n" + "y " * 5000 + "<CURSOR>\nz = 2\n", tokens=504)
    assert found.window.before == ""
    assert len("a = 1\n") < found.window.head == found.window.anchor < len("a = 1\n") + 10000
    assert str(found).endswith("y y ")


def test_typing_appends_to_the_prompt() -> None:
    first = infill("a = 1\nx = <CURSOR>\ny = 2\n")
    then = infill("a = 1\nx = sum(<CURSOR>\ny = 2\n", after=first)
    assert str(then) == f"{first}sum("


def test_new_lines_are_appended_too() -> None:
    first = infill(f"{lines(0, 100)}<CURSOR>\n{lines(100, 200)}", tokens=204)
    then = infill(f"{lines(0, 100)}x\ny\n<CURSOR>\n{lines(100, 200)}", tokens=204, after=first)
    assert str(then) == f"{first}x\ny\n"


def test_the_anchor_moves_to_the_cursors_line_when_much_was_typed() -> None:
    typed = "".join(f"new{number}\n" for number in range(10))
    first = infill("a = 1\n<CURSOR>\nb = 2\n")
    kept = infill(f"a = 1\n{typed}<CURSOR>\nb = 2\n", after=first, budget={"middle": 20})
    moved = infill(f"a = 1\n{typed}<CURSOR>\nb = 2\n", after=first, budget={"middle": 19})
    assert [kept.window.anchor, moved.window.anchor] == [len("a = 1\n"), len("a = 1\n" + typed)]


def test_the_anchor_moves_when_a_quarter_of_the_budget_was_typed() -> None:
    typed = "".join(f"new{number}\n" for number in range(10))
    first = infill("a = 1\n<CURSOR>\nb = 2\n", tokens=80)
    kept = infill(f"a = 1\n{typed}<CURSOR>\nb = 2\n", after=first, tokens=80)
    moved = infill(f"a = 1\n{typed}<CURSOR>\nb = 2\n", after=first, tokens=79)
    assert [kept.window.anchor, moved.window.anchor] == [len("a = 1\n"), len("a = 1\n" + typed)]


def test_without_an_anchored_middle_nothing_has_to_move() -> None:
    typed = "".join(f"new{number}\n" for number in range(10))
    first = infill("a = 1\n<CURSOR>\nb = 2\n", Layout.PSM)
    then = infill(f"a = 1\n{typed}<CURSOR>\nb = 2\n", Layout.PSM, after=first, budget={"middle": 1})
    assert then.window.anchor == first.window.anchor


def test_a_cursor_above_the_anchor_opens_a_new_window() -> None:
    first = infill("a = 1\nb = 2\n<CURSOR>c = 3\n")
    then = infill("a = 1<CURSOR>\nb = 2\nc = 3\n", after=first)
    assert [first.window.anchor, then.window.anchor] == [12, 0]


def test_a_cursor_at_the_anchor_keeps_the_window() -> None:
    first = infill("a = 1\nb = <CURSOR>\n", path="", headers=((0, "a = 1"),))
    then = infill("a = 1\n<CURSOR>b = \n", after=first)
    assert then.window.anchor == first.window.anchor == 6


def test_a_change_above_the_cursor_opens_a_new_window() -> None:
    first = infill("a = 1\nb = 2\n<CURSOR>c = 3\n")
    assert str(infill("a = 9\nb = 2\n<CURSOR>c = 3\n", after=first)) == snapshot("""\
<bos><|fim_prefix|>a = 9
b = 2
<|fim_suffix|>c = 3
<|fim_middle|>\
""")


def test_a_change_below_the_cursor_takes_the_suffix_anew() -> None:
    first = infill(f"{lines(0, 100)}x = <CURSOR>\ny = 2\n", tokens=104)
    then = infill(f"{lines(0, 100)}x = 1<CURSOR>\nz = 3\n", tokens=104, after=first)
    assert then.window.head == first.window.head
    assert then.window.suffix == "\nz = 3\n"


def test_text_put_below_the_suffix_is_shown() -> None:
    first = infill("x = <CURSOR>\ny = 2\n")
    assert first.window.to_the_end
    assert infill("x = 1<CURSOR>\ny = 2\nz = 3\n", after=first).window.suffix == "\ny = 2\nz = 3\n"


def test_text_far_below_is_not_looked_at() -> None:
    first = infill(f"x = <CURSOR>\n{lines(0, 100)}", tokens=104)
    assert not first.window.to_the_end
    then = infill(f"x = 1<CURSOR>\n{lines(0, 100)}z = 3\n", tokens=104, after=first)
    assert then.window.suffix == first.window.suffix


def test_a_line_longer_than_any_budget_is_cut_without_counting_it() -> None:
    found = infill("y " * 5000 + "<CURSOR>", tokens=104)
    assert 9800 < found.window.head < 10000


def test_a_window_that_just_fits_is_kept() -> None:
    """80 tokens, 19 that were typed, and one that is always left, of 100."""
    first = infill(f"{lines(0, 40)}<CURSOR>", tokens=104)
    typed = "".join(f"new{number}\n" for number in range(9))
    then = infill(f"{lines(0, 40)}{typed}x<CURSOR>", tokens=104, after=first)
    assert str(then) == f"{first}{typed}x"


def test_a_window_that_no_longer_fits_is_opened_anew() -> None:
    first = infill(f"{lines(0, 40)}<CURSOR>", tokens=104)
    typed = "".join(f"new{number}\n" for number in range(10))
    then = infill(f"{lines(0, 40)}{typed}<CURSOR>", tokens=104, after=first)
    assert first.window.head == 0
    assert then.window.head > 0
    assert then.window.anchor == len(f"{lines(0, 40)}{typed}")


CLASS = f"""\
import os
import re

class A:
    x = 1
    def f(self):
{lines(0, 100)}        return <CURSOR>"""
IMPORTS = tuple((CLASS.index(text), text) for text in ("import os", "import re"))
HEADERS = tuple((CLASS.index(text), text) for text in ("class A:", "def f(self):"))


def outside(tokens: int) -> str:
    return infill(CLASS, tokens=tokens, imports=IMPORTS, headers=HEADERS).window.outside


def test_headers_and_imports_above_the_window_are_shown_in_their_order() -> None:
    assert outside(104) == snapshot("""\
import os
import re
class A:
    def f(self):
""")


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        pytest.param(
            80,
            snapshot("""\
import os
class A:
    def f(self):
"""),
            id="all headers and an import",
        ),
        pytest.param(
            70,
            snapshot("""\
class A:
    def f(self):
"""),
            id="all headers",
        ),
        pytest.param(48, snapshot("    def f(self):\n"), id="the innermost header"),
        pytest.param(30, snapshot(""), id="none"),
    ],
)
def test_where_room_is_scarce_the_innermost_header_is_worth_most(tokens: int, expected: str) -> None:
    assert outside(tokens) == expected


def test_headers_within_the_window_are_not_shown_twice() -> None:
    assert outside(1000) == ""


def test_headers_are_kept_while_the_parser_loses_them() -> None:
    first = infill(CLASS, tokens=104, imports=IMPORTS, headers=HEADERS)
    then = infill(CLASS.replace("<CURSOR>", "f(<CURSOR>"), tokens=104, after=first)
    assert str(then) == f"{first}f("
