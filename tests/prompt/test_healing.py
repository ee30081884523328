"""Token healing: the last piece before the cursor is left out of the prompt, and the model begins by spelling it."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.prompt import Layout
from codegemma_lsp.prompt.healing import healed
from tests.prompt.story import Words, infill
from tests.scripted import Bytes


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (
            Layout.PSM,
            snapshot("""\
<bos><|fim_prefix|>value =<|fim_suffix|>
<|fim_middle|>\
"""),
        ),
        (
            Layout.SPM,
            snapshot("""\
<bos><|fim_suffix|>
<|fim_prefix|>value =<|fim_middle|>\
"""),
        ),
        (
            Layout.ANCHORED,
            snapshot("""\
<bos><|fim_prefix|><|fim_suffix|>
<|fim_middle|>value =\
"""),
        ),
    ],
    ids=list(Layout),
)
def test_the_last_piece_is_left_to_the_model(layout: Layout, expected: str) -> None:
    found = infill("value = retur<CURSOR>\n", layout, heal=True)
    assert found.prompt.forced_prefix == b" retur"
    assert str(found) == expected


def test_a_word_is_healed_to_its_start() -> None:
    assert healed("x = obj.val", Words()) == ("x = obj.", b"val")


def test_a_blank_before_the_cursor_is_healed() -> None:
    assert healed("x = ", Words()) == ("x =", b" ")


def test_the_end_of_a_line_is_healed_where_the_cursor_begins_the_next() -> None:
    assert healed("x = 1\n", Words()) == ("x = 1", b"\n")


def test_indentation_is_healed() -> None:
    assert healed("if x:\n    ", Words()) == ("if x:\n", b"    ")


def test_a_character_of_several_bytes_is_healed_whole() -> None:
    assert healed("x = '\U0001f600", Bytes()) == ("x = '", "\U0001f600".encode())


def test_nothing_is_healed_of_nothing() -> None:
    assert healed("", Words()) == ("", b"")


def test_half_a_character_is_not_healed() -> None:
    assert healed("\ud83d", Bytes()) == ("\ud83d", b"")


def test_without_healing_nothing_is_forced() -> None:
    assert infill("value = retur<CURSOR>\n", heal=False).prompt.forced_prefix == b""
