"""The smallest edits between a region and what is to stand there: what changes is between ``⟦`` and ``⟧``."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.chat.diff import apply, minimal_edits
from codegemma_lsp.document import Edit, Span
from tests.marks import selection, with_edits


def changed(old: str, new: str, newline: str = "\n") -> str:
    """The text with its region, which is selected or else all of it, turned into ``new``."""
    text, region = selection(old) if "<SELECTED>" in old else (old, Span(0, len(old)))
    return with_edits(text, minimal_edits(text, region, new, newline))


def test_equal_texts_need_no_edit() -> None:
    assert minimal_edits("a\nb\n", Span(0, 4), "a\nb\n", "\n") == ()


def test_words_of_a_line_are_replaced_alone() -> None:
    assert changed("x = r * r", "square = r * r") == snapshot("⟦square⟧ = r * r")


def test_each_of_several_words_is_an_edit_of_its_own() -> None:
    assert changed("return a + b + c + d", "return x + b + c + y") == snapshot("return ⟦x⟧ + b + c + ⟦y⟧")


def test_a_line_that_is_hardly_like_the_old_one_is_replaced_whole() -> None:
    assert changed("total = price * count", "for item in items:") == snapshot("⟦for item in items:⟧")


def test_a_line_of_which_half_is_kept_is_edited_by_words() -> None:
    assert changed("ab cd", "ab xyz") == snapshot("ab ⟦xyz⟧")


def test_a_line_of_which_less_than_half_is_kept_is_replaced_whole() -> None:
    assert changed("ab cdef", "ab wxyz") == snapshot("⟦ab wxyz⟧")


def test_a_line_of_which_exactly_half_is_kept_is_edited_by_words() -> None:
    assert changed("ab cd", "ab wxyz") == snapshot("ab ⟦wxyz⟧")


def test_equally_many_lines_are_edited_one_by_one() -> None:
    assert changed("a = 1\nb = 2\nc = 3", "a = 10\nb = 20\nc = 3") == snapshot("""\
a = ⟦10⟧
b = ⟦20⟧
c = 3\
""")


def test_lines_that_become_more_are_replaced_together() -> None:
    assert changed("a\nb\nc\nd", "a\nx\ny\nz\nd") == snapshot("""\
a
⟦x
y
z⟧
d\
""")


def test_lines_that_become_fewer_are_replaced_together() -> None:
    assert changed("a\nb\nc\nd", "a\nx\nd") == snapshot("""\
a
⟦x⟧
d\
""")


def test_lines_put_between_others_bring_their_ends() -> None:
    assert changed("a\nd\n", "a\nb\nc\nd\n") == snapshot("""\
a
⟦b
c
⟧d
""")


def test_lines_put_at_the_regions_end_go_below_its_last() -> None:
    assert changed("a\n<SELECTED>b</SELECTED>\nz\n", "b\nc\nd") == snapshot("""\
a
b⟦
c
d⟧
z
""")


def test_a_line_taken_from_between_others_takes_its_end_along() -> None:
    assert changed("a\nb\nc", "a\nc") == snapshot("""\
a
⟦⟧c\
""")


def test_lines_taken_from_the_regions_end_take_the_end_above_along() -> None:
    text = "a\nb\nc\nd"
    assert minimal_edits(text, Span(0, len(text)), "a\nb", "\n") == (Edit(Span(3, 7), ""),)


def test_nothing_outside_the_region_changes() -> None:
    assert changed("x = 1\n<SELECTED>x = 1</SELECTED>\nx = 1\n", "x = 2") == snapshot("""\
x = 1
x = ⟦2⟧
x = 1
""")


def test_a_region_within_a_line_is_changed_there() -> None:
    assert changed("f(<SELECTED>a, b</SELECTED>, c)", "a, d") == snapshot("f(a, ⟦d⟧, c)")


def test_lines_that_come_end_as_the_files() -> None:
    assert changed("a\r\nd\r\n", "a\nb\nc\nd\n", "\r\n") == snapshot("""\
a\r
⟦b\r
c\r
⟧d\r
""")


def test_lines_that_are_replaced_end_as_the_files() -> None:
    assert changed("a\r\nb\r\nd\r\n", "a\nx\ny\nd\n", "\r\n") == snapshot("""\
a\r
⟦x\r
y⟧\r
d\r
""")


def test_lines_below_the_last_begin_with_the_files_line_end() -> None:
    assert changed("a", "a\nb\nc", "\r\n") == snapshot("""\
a⟦\r
b\r
c⟧\
""")


def test_lines_that_stay_keep_ends_of_their_own() -> None:
    assert changed("a\r\nb\rc\n", "a\nb\nd\n", "\n") == snapshot("""\
a\r
b\r⟦d⟧
""")


def test_blank_lines_keep_their_blanks() -> None:
    assert changed("a\n    \nb", "a\n\nc") == snapshot("""\
a
    \n\
⟦c⟧\
""")


def test_an_empty_region_is_filled() -> None:
    assert changed("a\n<SELECTED></SELECTED>\nb", "x\ny") == snapshot("""\
a
⟦x
y⟧
b\
""")


def test_a_region_may_be_emptied() -> None:
    assert changed("a\n<SELECTED>x\ny</SELECTED>\nb", "") == snapshot("""\
a
⟦⟧
b\
""")


@pytest.mark.parametrize(
    ("count", "edits"), [pytest.param(300, 2, id="compared"), pytest.param(301, 1, id="replaced together")]
)
def test_of_a_long_line_what_differs_is_compared_up_to_300_words(count: int, edits: int) -> None:
    """``count`` words and signs lie from the first to the last that differ."""
    old = [word for number in range(500) for word in (f"word{number}", "+")]
    new = old.copy()
    new[10] = new[10 + count - 1] = "-"
    found = minimal_edits("".join(old), Span(0, len("".join(old))), "".join(new), "\n")
    assert len(found) == edits
    assert apply("".join(old), found) == "".join(new)


@pytest.mark.parametrize(
    ("count", "edits"), [pytest.param(2000, 2, id="compared"), pytest.param(2001, 1, id="replaced together")]
)
def test_of_a_long_text_what_differs_is_compared_up_to_2000_lines(count: int, edits: int) -> None:
    """``count`` lines lie from the first to the last that differ: the first is gone, and the last two have come."""
    lines = [f"line {number}" for number in range(2100)]
    old, end = "\n".join(lines), 9 + count
    new = "\n".join([*lines[:10], *lines[11:end], "new", "newer", *lines[end:]])
    found = minimal_edits(old, Span(0, len(old)), new, "\n")
    assert len(found) == edits
    assert apply(old, found) == new


def test_long_repetitive_lines_take_no_time() -> None:
    old, new = ",".join(["x"] * 4000), ",".join(["y", "x"] * 2000)
    (edit,) = minimal_edits(old, Span(0, len(old)), new, "\n")
    assert apply(old, (edit,)) == new


def test_edits_that_touch_may_be_applied_and_edits_that_overlap_may_not() -> None:
    assert apply("abcd", (Edit(Span(0, 2), "x"), Edit(Span(2, 3), "y"))) == "xyd"
    with pytest.raises(AssertionError):
        apply("abcd", (Edit(Span(0, 2), "x"), Edit(Span(1, 3), "y")))


LINES = st.lists(st.text(alphabet="ab ({_\t", max_size=8), min_size=1, max_size=7)


@settings(deadline=None)
@given(st.text("x\n", max_size=4), LINES, st.sampled_from(["\n", "\r\n"]), st.text("y\n", max_size=3), LINES)
def test_any_region_becomes_any_text(head: str, old: list[str], newline: str, tail: str, new: list[str]) -> None:
    head, middle, tail = f"{head}{newline}", newline.join(old), f"{newline}{tail}"
    region = Span(len(head), len(head) + len(middle))
    edits = minimal_edits(head + middle + tail, region, "\n".join(new), newline)
    after = apply(head + middle + tail, edits)
    assert after.startswith(head)
    assert after.endswith(tail)
    found = re.split("\r\n|\n", after[len(head) : len(after) - len(tail)])
    assert [line if line.strip() else "" for line in found] == [line if line.strip() else "" for line in new]
    assert all(region.start <= edit.span.start <= edit.span.end <= region.end for edit in edits)
