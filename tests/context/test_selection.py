"""Which pieces of other files are worth their tokens. A word is a token here."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.context import Kind, Piece, Selection, select


def piece(path: str, text: str, value: float = 0.8, kind: Kind = Kind.DEFINITION) -> Piece:
    return Piece(path=path, text=text + "\n", kind=kind, reason="is needed", value=value)


def selected(*pieces: Piece, budget: int = 100) -> Selection:
    return select(pieces, budget, lambda one: len(one.text.split()))


def told(found: Selection) -> str:
    """The selection as a reader would tell it."""
    taken = [f"{one.piece.path} ({one.tokens})" for one in found.taken]
    left = [f"not {one.piece.path} ({one.tokens}): {one.left_out}" for one in found.left_out]
    return "\n".join([*taken, *left])


def test_nothing_is_taken_where_no_piece_would_help() -> None:
    """The gate: at a cursor where the file is enough, the prompt has no other file."""
    assert told(selected(piece("a.py", "def a(): ...", 0.3), piece("b.py", "def b(): ...", 0.1))) == snapshot("""\
not a.py (3): it would hardly help at this cursor
not b.py (3): it would hardly help at this cursor\
""")


def test_the_budget_goes_to_the_pieces_of_the_highest_value_and_then_to_those_that_fit() -> None:
    found = selected(
        piece("long.py", "def long ( a , b , c , d ) : ...", 0.7),
        piece("best.py", "def best ( ) : ...", 0.9),
        piece("short.py", "def short ( ) : ...", 0.6),
        budget=13,
    )
    assert told(found) == snapshot("""\
short.py (6)
best.py (6)
not long.py (13): it does not fit the budget\
""")


def test_dependencies_come_first_then_what_is_alike_the_sibling_and_edits() -> None:
    kinds = (Kind.EDIT, Kind.SIBLING, Kind.SIMILAR, Kind.EDITOR, Kind.DEFINITION)
    found = selected(*(piece(f"{kind.name.lower()}.py", f"x{kind.name} = 1", kind=kind) for kind in kinds))
    assert [one.piece.path for one in found.taken] == snapshot(
        ["definition.py", "editor.py", "similar.py", "sibling.py", "edit.py"]
    )


def test_the_best_piece_of_a_kind_is_nearest_to_the_file() -> None:
    found = selected(piece("best.py", "a = 1", 0.9), piece("good.py", "b = 2", 0.7), piece("fair.py", "c = 3", 0.6))
    assert [one.piece.path for one in found.taken] == ["fair.py", "good.py", "best.py"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("def price(item): ...", "another piece tells the same", id="equal"),
        pytest.param("def price(item, tax): ...\n", "", id="another-signature"),
    ],
)
def test_what_a_better_piece_tells_already_is_left_out(text: str, why: str) -> None:
    found = selected(piece("prices.py", "def price(item): ...", 0.9), piece("copy.py", text, 0.7))
    assert [one.left_out for one in found.left_out] == ([why] if why else [])


def test_a_part_of_a_better_piece_of_the_same_file_is_left_out() -> None:
    whole = "class Till:\n    def add(self, item): ...\n    def pay(self, sum): ..."
    found = selected(piece("till.py", whole, 0.9), piece("till.py", "    def add(self, item): ...", 0.8))
    assert told(found) == snapshot("""\
till.py (10)
not till.py (4): another piece tells the same\
""")


TILL = "class Till:\n    def add(self, item): ...\n"


def test_a_piece_that_a_later_one_has_in_it_gives_its_place_to_that_one() -> None:
    whole = piece("till.py", f"{TILL}def open_till(): ...", 0.7, Kind.SIBLING)
    found = selected(piece("till.py", TILL.rstrip(), 0.9), whole, budget=9)
    assert told(found) == snapshot("""\
till.py (9)
not till.py (6): another piece tells the same\
""")


def test_a_piece_keeps_its_place_where_what_has_it_in_it_does_not_fit() -> None:
    whole = piece("till.py", f"{TILL}def open_till(): ...", 0.7, Kind.SIBLING)
    assert told(selected(piece("till.py", TILL.rstrip(), 0.9), whole, budget=7)) == snapshot("""\
till.py (6)
not till.py (9): it does not fit the budget\
""")


def test_a_piece_is_covered_by_one_that_has_it_in_it_but_not_by_its_own_longer_past() -> None:
    held = selected(piece("till.py", f"def open_till(): ...\n{TILL}    def pay(self): ..."))
    assert selected(piece("till.py", "def open_till(): ...")).is_covered_by(held)
    assert not selected(piece("till.py", TILL.rstrip())).is_covered_by(held)
    assert not selected(piece("other.py", "def open_till(): ...")).is_covered_by(held)


def test_edits_stand_in_the_order_in_which_they_were_made() -> None:
    found = selected(*(piece(f"{n}.py", f"x{n} = 1", value, Kind.EDIT) for n, value in enumerate((0.8, 0.6, 0.7))))
    assert [one.piece.path for one in found.taken] == ["0.py", "1.py", "2.py"]


def test_a_selection_that_needs_less_is_covered_by_the_one_that_is_shown() -> None:
    a, b = piece("a.py", "a = 1"), piece("b.py", "b = 2")
    assert selected(a).is_covered_by(selected(a, b))
    assert not selected(a, b).is_covered_by(selected(a))
    assert selected().is_covered_by(selected())
    assert not selected(piece("a.py", "a = 2")).is_covered_by(selected(a, b))


def test_a_piece_with_a_secret_is_left_out() -> None:
    found = selected(
        piece("config.py", 'API_KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"'), piece("till.py", "open = True")
    )
    assert told(found) == snapshot("""\
till.py (3)
not config.py (3): it holds what looks like a secret\
""")
