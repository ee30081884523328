"""The moments at which nothing is shown unless the user asks. What was deleted or dismissed just before is given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegemma_lsp.completion import Moment, Silence, dismissal_of, is_dismissed, removes, silence
from codegemma_lsp.document import Change, Document, Edit, Span
from tests.marks import at_cursor

LICENSED = "# Copyright 2024 The Authors\n#\n# Licensed under the MIT licence"


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        pytest.param("python", "total = su<CURSOR>m(x)\n", Silence.WITHIN_WORD, id="within a word"),
        pytest.param("python", "total = _<CURSOR>_name\n", Silence.WITHIN_WORD, id="within a word of underscores"),
        pytest.param("python", "# 数<CURSOR>据\n", Silence.WITHIN_WORD, id="between letters of any script"),
        pytest.param("python", "total = <CURSOR>sum(x)\n", None, id="before a word"),
        pytest.param("python", "total = sum<CURSOR>(x)\n", None, id="behind a word"),
        pytest.param("python", "total = sum<CURSOR>", None, id="behind the last word of the file"),
        pytest.param("python", "<CURSOR>total", None, id="at the file's first word"),
        pytest.param("python", "<CURSOR>", None, id="in an empty file"),
        pytest.param("python", f"{LICENSED}<CURSOR>\n\nx = 1\n", Silence.LICENCE, id="in a licence"),
        pytest.param("python", f"#!/usr/bin/python\n{LICENSED}<CURSOR>", Silence.LICENCE, id="below a shebang"),
        pytest.param("python", f"{LICENSED}\n\nx = <CURSOR>\n", None, id="below a licence"),
        pytest.param("python", "# Sums the licences of a shop<CURSOR>\n", Silence.LICENCE, id="the word licence"),
        pytest.param("python", "x = 1\n# the licence of a shop is <CURSOR>\n", None, id="the word licence, below code"),
        pytest.param("c", "/*\n * Copyright 2024<CURSOR>\n */\nint x;\n", Silence.LICENCE, id="a block comment"),
        pytest.param("c", "/*\n * Copyright 2024\n * <CURSOR>", Silence.LICENCE, id="a block comment that is open"),
        pytest.param("c", "/* Copyright 2024 */\nint <CURSOR>", None, id="below a block comment"),
        pytest.param("lua", "--[[\nCopyright 2024<CURSOR>", Silence.LICENCE, id="an open comment of Lua"),
        pytest.param("html", "<!-- SPDX-License-Identifier: <CURSOR>", Silence.LICENCE, id="a comment of HTML"),
        pytest.param("unknown", "# Copyright 2024 <CURSOR>", None, id="a language without a grammar"),
        pytest.param("python", "def f():\n    return 1\n<CURSOR>", Silence.BELOW_ALL, id="below all"),
        pytest.param(
            "python", "def f():\n    return 1\n\n\n<CURSOR>\n\n", Silence.BELOW_ALL, id="below all, with blanks"
        ),
        pytest.param("python", "def f():\n    return 1\n    <CURSOR>", None, id="below all, indented"),
        pytest.param("python", "def f():\n    return 1\n\n\nd<CURSOR>", None, id="below all, begun"),
        pytest.param("python", "def f():\n    return 1\n\n<CURSOR>\nx = 1\n", None, id="between two statements"),
        pytest.param("python", "# adds two numbers\n<CURSOR>", None, id="below a comment"),
        pytest.param("python", '"""Adds numbers."""\n\n<CURSOR>', None, id="below documentation"),
        pytest.param("python", "@cache\n<CURSOR>", None, id="below a decorator"),
        pytest.param("python", "def f():\n<CURSOR>", None, id="below a header"),
        pytest.param("lua", "local function f(x)\n<CURSOR>", None, id="below a header with words"),
        pytest.param("c", "int main(void) {\n<CURSOR>", None, id="below an open brace"),
    ],
)
def test_the_text_around_the_cursor(language: str, marked: str, expected: Silence | None) -> None:
    text, offset = at_cursor(marked)
    assert silence(Moment(text=text, offset=offset, language=language)) is expected


@pytest.mark.parametrize(
    ("is_touched", "has_deleted", "expected"),
    [
        pytest.param(True, False, None, id="typing"),
        pytest.param(True, True, Silence.DELETED, id="after a deletion"),
        pytest.param(False, False, Silence.UNTOUCHED, id="before the first change"),
    ],
)
def test_what_was_done_before(is_touched: bool, has_deleted: bool, expected: Silence | None) -> None:
    assert silence(Moment(text="x = ", offset=4, is_touched=is_touched, has_deleted=has_deleted)) is expected


def change(before: str, removed: Span, inserted: str) -> Change:
    document, edit = Document(uri="file:///a", text=before), Edit(removed, inserted)
    return Change(before=document, edit=edit, after=document.with_edit(edit))


@pytest.mark.parametrize(
    ("before", "removed", "inserted", "expected"),
    [
        pytest.param("total", (4, 5), "", True, id="a letter"),
        pytest.param("f()", (1, 3), "", True, id="a bracket and the one that closes it"),
        pytest.param("a\nb\n", (0, 2), "", True, id="a line"),
        pytest.param("total", (0, 5), "tota", True, id="a letter, sent as a whole word"),
        pytest.param("aaa", (0, 3), "aa", True, id="one of several equal letters"),
        pytest.param("total", (5, 5), "s", False, id="typing"),
        pytest.param("f)", (1, 2), ")", False, id="typing over a bracket"),
        pytest.param("x  =1", (1, 4), " = ", False, id="formatting"),
        pytest.param("foo", (0, 3), "ba", False, id="a shorter word"),
        pytest.param("foo", (1, 1), "", False, id="nothing"),
    ],
)
def test_changes_that_only_remove(before: str, removed: tuple[int, int], inserted: str, expected: bool) -> None:
    assert removes(change(before, Span(*removed), inserted)) is expected


@pytest.mark.parametrize(
    ("marked", "suggested", "expected"),
    [
        pytest.param("w = 1\narea = <CURSOR>\nend()\n", "width * height", True, id="the same"),
        pytest.param("w = 1\narea = wid<CURSOR>\nend()\n", "th * height", True, id="typed into"),
        pytest.param("w = 1\narea = <CURSOR>\nend()\n", "width", True, id="the beginning of it"),
        pytest.param("w = 1\narea = <CURSOR>\nend()\n", "width * height * 2", True, id="more of it"),
        pytest.param("w = 1\narea = <CURSOR>\nend()\n", "height", False, id="another text"),
        pytest.param("w = 1\narea = h<CURSOR>\nend()\n", "eight", False, id="typed otherwise"),
        pytest.param("w = 2\narea = <CURSOR>\nend()\n", "width * height", False, id="the line above has changed"),
        pytest.param("w = 1\nAREA = <CURSOR>\nend()\n", "width * height", False, id="the line has changed"),
        pytest.param("w = 1\narea = <CURSOR>\nmore()\n", "width * height", False, id="the line below has changed"),
        pytest.param("v = 1\nw = 1\narea = <CURSOR>\nend()\n", "width * height", True, id="a new line far above"),
        pytest.param("aw = 1\narea = <CURSOR>\nend()\n", "width * height", False, id="the line above has grown"),
        pytest.param("w = 1\narea = <CURSOR>)\nend()\n", "width * height", True, id="a bracket that the editor closed"),
    ],
)
def test_what_was_dismissed(marked: str, suggested: str, expected: bool) -> None:
    text, offset = at_cursor("w = 1\narea = <CURSOR>\nend()\n")
    dismissal = dismissal_of(text, offset, "width * height")
    now, cursor = at_cursor(marked)
    assert is_dismissed([dismissal], now, cursor, suggested) is expected


def test_several_lines_that_were_dismissed_stay_dismissed_below_the_first() -> None:
    text, offset = at_cursor("w = 1\n<CURSOR>\nend()\n")
    dismissal = dismissal_of(text, offset, "a = 1\nb = 2")
    now, cursor = at_cursor("w = 1\na = 1\n<CURSOR>\nend()\n")
    assert is_dismissed([dismissal], now, cursor, "b = 2")
    assert not is_dismissed([dismissal], now, cursor, "c = 2")


LINES = st.text(alphabet="ab \n", max_size=30)


@settings(deadline=None)
@given(LINES, LINES, st.text(alphabet="ab\n", min_size=1, max_size=12), st.data())
def test_what_was_dismissed_stays_so_while_it_is_typed(
    above: str, below: str, suggested: str, data: st.DataObject
) -> None:
    dismissal = dismissal_of(above + below, len(above), suggested)
    typed = data.draw(st.integers(0, len(suggested) - 1))
    text = above + suggested[:typed] + below
    assert is_dismissed([dismissal], text, len(above) + typed, suggested[typed:])
