"""What is left of an accepted suggestion after edits, undo, moves, saves and formatting."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codegemma_lsp.document import Change, Document, Edit, Span
from codegemma_lsp.usage import Followed, follow, kept, new_characters, with_changes
from codegemma_lsp.usage.retention import common_subsequence_length
from tests.marks import at_cursor


class Editing:
    """A document in which ``accepted`` was just accepted at the cursor, and what is followed of it."""

    def __init__(self, marked: str, accepted: str, replaced: str = "") -> None:
        text, offset = at_cursor(marked)
        assert text.startswith(replaced, offset)
        text = text[:offset] + accepted + text[offset + len(replaced) :]
        self.document = Document(uri="file:///a", text=text)
        found = follow(text, offset, accepted, replaced)
        assert found is not None
        self.followed: Followed = found

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def kept(self) -> int:
        return kept(self.followed, self.text)

    @property
    def is_whole(self) -> bool:
        return self.kept == new_characters(self.followed)

    def edit(self, *edits: Edit) -> None:
        changes = []
        for edit in edits:
            after = self.document.with_edit(edit)
            changes.append(Change(before=self.document, edit=edit, after=after))
            self.document = after
        self.followed = with_changes(self.followed, changes)

    def replace(self, old: str, new: str) -> None:
        at = self.text.index(old)
        self.edit(Edit(Span(at, at + len(old)), new))


def test_nothing_is_followed_where_the_text_is_another() -> None:
    assert follow("x = 1", 4, "2") is None
    assert follow("x =  ", 4, " ") is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("height", "length", 13 - 4, id="a word is another"),
        pytest.param(" * height", "", 5, id="the end is deleted"),
        pytest.param("width * height", "", 0, id="all is deleted"),
        pytest.param("width * height", "0", 0, id="all is replaced"),
        pytest.param("width * height", "width*height", 12, id="formatted"),
        pytest.param("width", "(width", 12, id="something is inserted"),
        pytest.param("area", "surface", 12, id="something else is changed"),
        pytest.param("w = 1\n", "", 12, id="the line above is deleted"),
        pytest.param("w = 1\narea = width * height\n", "def f():\n    area = width * height\n", 12, id="indented"),
        pytest.param("w = 1\narea = width * height\nend()\n", "", 0, id="the whole file is deleted"),
    ],
)
def test_one_edit(old: str, new: str, expected: int) -> None:
    user = Editing("w = 1\narea = <CURSOR>\nend()\n", "width * height")
    user.replace(old, new)
    assert user.kept == expected


def test_what_was_there_before_is_not_new() -> None:
    user = Editing("x = f(<CURSOR>)\n", "a, b)", ")")
    assert new_characters(user.followed) == 3
    assert user.kept == 3
    user.replace("a, b", "")
    assert user.kept == 0


def test_a_move_in_two_steps() -> None:
    user = Editing("w = 1\n<CURSOR>\nend()\n", "area = 2")
    user.replace("area = 2\n", "")
    assert user.kept == 0
    user.replace("end()\n", "end()\narea = 2\n")
    assert user.is_whole


@pytest.mark.parametrize("removes_first", [True, False])
def test_a_move_in_one_notification(removes_first: bool) -> None:
    user = Editing("w = 1\n<CURSOR>\nend()\n", "area = 2")
    at, last = user.text.index("area"), len(user.text)
    removal, length = Edit(Span(at, at + 9), ""), 9
    if removes_first:
        user.edit(removal, Edit(Span(last - length, last - length), "area = 2\n"))
    else:
        user.edit(Edit(Span(last, last), "area = 2\n"), removal)
    assert user.text == "w = 1\nend()\narea = 2\n"
    assert user.is_whole


def test_typing_on_behind_it_is_no_part_of_it() -> None:
    user = Editing("x = <CURSOR>\n", "aaa")
    user.edit(Edit(Span(7, 7), "bbbaaa"))
    user.replace("aaabbb", "bbb")
    assert user.kept == 0


CODE = st.text(alphabet="ab(),. \n", max_size=40)
ACCEPTED = CODE.filter(lambda text: bool(text.strip()))


@st.composite
def edits_of(draw: st.DrawFn, length: int) -> Edit:
    start = draw(st.integers(0, length))
    end = draw(st.integers(start, min(length, start + 12)))
    return Edit(Span(start, end), draw(st.text(alphabet="abz \n", max_size=8)))


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE, st.data())
def test_the_count_is_within_bounds_whatever_is_edited(
    before: str, accepted: str, after: str, data: st.DataObject
) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    assert user.is_whole
    for _ in range(data.draw(st.integers(1, 5))):
        user.edit(data.draw(edits_of(len(user.text))))
        part = user.followed.part
        assert 0 <= part.start <= part.end <= len(user.text)
        assert 0 <= user.kept <= new_characters(user.followed)


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE, st.data())
def test_edits_elsewhere_change_nothing(before: str, accepted: str, after: str, data: st.DataObject) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    for _ in range(data.draw(st.integers(1, 5))):
        edit, part = data.draw(edits_of(len(user.text))), user.followed.part
        assume(edit.span.end <= part.start or edit.span.start >= part.end)
        user.edit(edit)
        assert user.text[user.followed.part.start : user.followed.part.end] == accepted
        assert user.is_whole


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE, st.data())
def test_undoing_a_deletion_brings_all_of_it_back(before: str, accepted: str, after: str, data: st.DataObject) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    start = data.draw(st.integers(0, len(user.text) - 1))
    end = data.draw(st.integers(start + 1, len(user.text)))
    removed = user.text[start:end]
    user.edit(Edit(Span(start, end), ""))
    user.edit(Edit(Span(start, start), removed))
    assert user.is_whole


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE)
def test_undoing_the_acceptance_leaves_nothing(before: str, accepted: str, after: str) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    user.edit(Edit(Span(len(before), len(before) + len(accepted)), ""))
    assert user.kept == 0


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE)
def test_saving_without_trailing_blanks_keeps_all(before: str, accepted: str, after: str) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    edits = [Edit(Span(*match.span()), "") for match in re.finditer(r"[ ]+(?=\n|$)", user.text)]
    user.edit(*reversed(edits))
    assert user.is_whole


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE, st.randoms(use_true_random=False))
def test_formatting_the_whole_file_keeps_all(before: str, accepted: str, after: str, random: Random) -> None:
    """As one replacement of the file, in which only blanks are others."""
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    formatted = "".join(random.choice(("", " ", "\n  ")) + char for char in user.text if not char.isspace())
    user.edit(Edit(Span(0, len(user.text)), formatted))
    assert user.is_whole


@settings(deadline=None)
@given(CODE, ACCEPTED, CODE, st.integers(1, 10))
def test_deleting_from_its_end_counts_what_is_left(before: str, accepted: str, after: str, count: int) -> None:
    user = Editing(f"{before}<CURSOR>{after}", accepted)
    end = user.followed.part.end
    deleted = accepted[-count:]
    user.edit(Edit(Span(end - len(deleted), end), ""))
    assert user.kept == new_characters(user.followed) - len("".join(deleted.split()))


@settings(deadline=None)
@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_longest_common_subsequence(a: str, b: str) -> None:
    rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            rows[i + 1][j + 1] = rows[i][j] + 1 if x == y else max(rows[i][j + 1], rows[i + 1][j])
    assert common_subsequence_length(a, b) == rows[-1][-1]
