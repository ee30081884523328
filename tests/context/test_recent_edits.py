"""What was just edited in other files, as pieces. An edit is ``«old|new»`` in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.context import LEAST_VALUE, Kind, Piece
from codegemma_lsp.context.recent_edits import Hunk, Stretch, edited_pieces, hunks, with_edit
from codegemma_lsp.document import Edit, Span
from tests.context.files import InMemory, cursor_in


class Edited:
    """A text, and what was changed in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stretches: tuple[Stretch, ...] = ()

    def replace(self, start: int, end: int, text: str, at: float = 0) -> None:
        removed, self.text = self.text[start:end], self.text[:start] + text + self.text[end:]
        edit = Edit(Span(start, end), text)
        self.stretches = with_edit(self.stretches, edit, removed=removed, text=self.text, at=at)

    def type(self, after: str, text: str, at: float = 0) -> None:
        """Types a text, key by key, behind the first place that has another one."""
        place = self.text.index(after) + len(after)
        for offset, key in enumerate(text):
            self.replace(place + offset, place + offset, key, at)

    def change(self, old: str, new: str, at: float = 0) -> None:
        """Replaces the first place that has a text."""
        start = self.text.index(old)
        self.replace(start, start + len(old), new, at)

    @property
    def before(self) -> str:
        """The text as it was before the changes."""
        text = self.text
        for one in reversed(self.stretches):
            text = text[: one.span.start] + one.before + text[one.span.end :]
        return text

    def hunks(self, since: float = 0) -> list[Hunk]:
        return hunks("till.py", self.text, self.stretches, since)


def shown(edited: Edited, since: float = 0) -> str:
    """The hunks, with a line between them."""
    return "---\n".join(hunk.text for hunk in edited.hunks(since))


TILL = """\
import os

LIMIT = 100


def price(item: Item) -> int:
    tax = item.cost * 2
    return item.cost + tax


def pay(till: Till, amount: int) -> None:
    till.amount += amount


def refund(till: Till, amount: int) -> None:
    till.amount -= amount
    till.refunds.append(amount)
"""


def test_the_lines_that_changed_are_shown_with_two_lines_around_them() -> None:
    edited = Edited(TILL)
    edited.type("def price(item: Item", ", *, discount: float")
    assert shown(edited) == snapshot("""\
def price(item: Item, *, discount: float) -> int:
    tax = item.cost * 2
    return item.cost + tax
""")


def test_what_is_typed_key_by_key_is_one_stretch() -> None:
    edited = Edited(TILL)
    edited.type("item.cost + tax", "\n\n\ndef half(item: Item) -> int:\n    return price(item) // 2")
    assert [one.before for one in edited.stretches] == [""]
    assert edited.before == TILL
    assert shown(edited) == snapshot("""\
    return item.cost + tax


def half(item: Item) -> int:
    return price(item) // 2
""")


def test_hunks_that_touch_are_one_and_others_stay_apart() -> None:
    edited = Edited(TILL)
    edited.change("tax = item.cost * 2", "tax = item.cost // 5")
    edited.change("till.amount -= amount", "till.amount -= abs(amount)")
    edited.change("cost + tax", "cost + tax + 1")
    assert shown(edited) == snapshot("""\
def price(item: Item) -> int:
    tax = item.cost // 5
    return item.cost + tax + 1
---
def refund(till: Till, amount: int) -> None:
    till.amount -= abs(amount)
    till.refunds.append(amount)
""")


def test_what_was_undone_is_no_hunk() -> None:
    edited = Edited(TILL)
    edited.type("item.cost + tax", " + 1")
    assert edited.hunks()
    for _ in range(4):
        place = edited.text.index("item.cost + tax") + len("item.cost + tax")
        edited.replace(place, place + 1, "")
    assert (edited.stretches, edited.text) == ((), TILL)


def test_a_change_to_and_fro_is_no_hunk() -> None:
    edited = Edited(TILL)
    edited.change("price", "cost_of")
    edited.change("cost_of", "price")
    assert edited.stretches == ()


def test_only_changes_since_a_time_are_shown() -> None:
    edited = Edited(TILL)
    edited.change("LIMIT = 100", "LIMIT = 200", at=10)
    edited.change("till.refunds.append(amount)", "till.refunds.append((amount, 1))", at=700)
    assert "LIMIT" not in shown(edited, since=100)
    assert "(amount, 1)" in shown(edited, since=100)


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        pytest.param(lambda edited: edited.replace(0, len(TILL), "limit = 1\n" * 2000), False, id="another branch"),
        pytest.param(lambda edited: edited.type("LIMIT = 100", "\n" + "limit = 1\n" * 50), True, id="a lot of typing"),
        pytest.param(
            lambda edited: edited.replace(0, len(TILL), TILL.replace("100", "200")), True, id="a whole text, one change"
        ),
    ],
)
def test_what_is_too_long_to_be_typed_is_no_hunk(change: object, is_kept: bool) -> None:
    edited = Edited(TILL)
    assert callable(change)
    change(edited)
    assert bool(edited.hunks()) is is_kept


def test_a_long_hunk_is_cut_at_a_line_end() -> None:
    edited = Edited(TILL)
    edited.type("LIMIT = 100", "".join(f"\nNUMBER_{n} = {n}" for n in range(100)))
    (hunk,) = edited.hunks()
    assert len(hunk.text) <= 400
    assert hunk.text.startswith("NUMBER_0 = 0\n")
    assert re.fullmatch(r"NUMBER_\d+ = \d+", hunk.text.rstrip("\n").split("\n")[-1])


def test_a_line_that_is_too_long_is_no_hunk() -> None:
    edited = Edited(f"data = [{'1234, ' * 1000}]\n")
    edited.change("data", "numbers")
    assert edited.hunks() == []


def test_blank_lines_are_no_hunk() -> None:
    edited = Edited("\n" * 40 + TILL)
    edited.replace(10, 10, "\n\n")
    assert edited.hunks() == []


def test_lines_that_end_in_cr_lf_are_shown_with_lf() -> None:
    edited = Edited(TILL.replace("\n", "\r\n"))
    edited.type("item.cost + tax", "\r\n    # all")
    assert shown(edited) == snapshot("""\
    tax = item.cost * 2
    return item.cost + tax
    # all
""")


texts = st.text(st.sampled_from("ab\n"), max_size=12)


@given(st.data(), texts)
def test_the_stretches_say_what_the_text_was_before_any_sequence_of_edits(data: st.DataObject, text: str) -> None:
    edited = Edited(text)
    for _ in range(data.draw(st.integers(0, 8))):
        ends = st.integers(0, len(edited.text))
        start, end = sorted((data.draw(ends), data.draw(ends)))
        edited.replace(start, end, data.draw(texts))
        assert edited.before == text
        spans = [one.span for one in edited.stretches]
        assert all(one.end < other.start for one, other in pairwise(spans))


def test_of_many_changes_the_newest_are_kept() -> None:
    edited = Edited("".join(f"name_{n} = {n}\n" * 4 for n in range(20)))
    for n in range(20):
        edited.change(f"name_{n} = {n}\n", f"other_{n} = {n}\n", at=n)
    assert [one.at for one in edited.stretches] == list(range(12, 20))


def pieces(marked: str, edits: Mapping[str, str], path: str = "main.py", hidden: str = "") -> list[Piece]:
    """The pieces at a cursor after edits in other files, each ``«old|new»`` in its text, in this order."""
    found: list[Hunk] = []
    texts: dict[str, str] = {}
    for at, (name, marks) in enumerate(edits.items()):
        edited = Edited(re.sub(r"«(.*?)\|(.*?)»", r"\1", marks, flags=re.DOTALL))
        for old, new in re.findall(r"«(.*?)\|(.*?)»", marks, flags=re.DOTALL):
            start = len(re.sub(r"«(.*?)\|(.*?)»", r"\2", marks[: marks.index(f"«{old}|{new}»")], flags=re.DOTALL))
            edited.replace(start, start + len(old), new, at)
        texts[name] = edited.text
        found += hunks(name, edited.text, edited.stretches, 0)
    cursor = cursor_in(path, marked)
    files = InMemory({name: text for name, text in texts.items() if name != hidden})
    return list(edited_pieces(found, cursor, files))


def is_shown(marked: str, edit: str) -> bool:
    return any(one.value >= LEAST_VALUE[Kind.EDIT] for one in pieces(marked, {"till.py": edit}))


NEW_PARAMETER = "def price(item: Item«|, *, discount: float») -> Money:\n    return item.cost\n"
CALL = "from till import price\n\nitem = Item('a')\ntotal = price(item<CURSOR>)\n"


@pytest.mark.parametrize(
    ("marked", "edit", "shown"),
    [
        pytest.param(CALL, NEW_PARAMETER, True, id="a call of a function that has a new parameter"),
        pytest.param(CALL, "def «price|cost_of»(thing):\n    return 1\n", True, id="a call by a name that is gone"),
        pytest.param(CALL, "def «colour|color»(pixel):\n    return pixel.hue\n", False, id="something else"),
        pytest.param(
            CALL, "def draw(canvas, pixel, item«|, width»):\n    return canvas\n", False, id="one name of many"
        ),
        pytest.param(CALL, "import«| os»\nfor self in list(str):\n    return None\n", False, id="words of any file"),
        pytest.param("<CURSOR>", NEW_PARAMETER, False, id="an empty file"),
        pytest.param(CALL.replace("<CURSOR>", "") + "\n" * 1500 + "<CURSOR>", NEW_PARAMETER, False, id="far away"),
    ],
)
def test_a_hunk_is_worth_its_tokens_where_its_names_are_used(marked: str, edit: str, shown: bool) -> None:
    assert is_shown(marked, edit) is shown


def test_a_piece_says_why_it_is_taken() -> None:
    edits = {"till.py": NEW_PARAMETER, "names.py": "def «price|cost_of»(thing):\n    return 1\n"}
    told = (f"{one.path} {one.value} {one.reason}\n{indent(one.text, '  ')}" for one in pieces(CALL, edits))
    assert "".join(told) == snapshot("""\
till.py 0.6 was just edited and shares Item and item with the text near the cursor
  def price(item: Item, *, discount: float) -> Money:
      return item.cost
names.py 0.85 was just edited, and price, which was there, is used near the cursor
  def cost_of(thing):
      return 1
""")


def test_the_newest_eight_hunks_are_found_the_newest_last() -> None:
    edits = {f"{name}.py": NEW_PARAMETER for name in "abcdefghij"}
    assert [one.path for one in pieces(CALL, edits)] == [f"{name}.py" for name in "cdefghij"]


@pytest.mark.parametrize("how", [{"path": "till.py"}, {"hidden": "till.py"}], ids=["the cursor's own", "hidden"])
def test_of_some_files_no_hunk_is_shown(how: dict[str, str]) -> None:
    assert pieces(CALL, {"till.py": NEW_PARAMETER}, **how) == []


def test_what_a_file_has_no_longer_is_not_shown() -> None:
    """It was closed without being saved, or changed on the disk since."""
    edited = Edited("def price(item: Item) -> Money:\n    return item.cost\n")
    edited.type("item: Item", ", discount: float")
    files = InMemory({"till.py": "def price(item: Item) -> Money:\n    return item.cost\n"})
    assert list(edited_pieces(edited.hunks(), cursor_in("main.py", CALL), files)) == []


@pytest.mark.parametrize("unit", ["x", "name ", " ", "\n", "name\n"])
def test_no_text_takes_the_longer_the_longer_it_is(unit: str) -> None:
    edited = Edited(unit * (3_000_000 // len(unit)))
    for number in range(10):
        edited.replace(300_000 * number, 300_000 * number + 3, "price", number)
    assert len(edited.stretches) == 8
    cursor = cursor_in("main.py", edited.text + "<CURSOR>")
    list(edited_pieces(edited.hunks(), cursor, InMemory({"till.py": edited.text})))
