"""When generated text has finished what the cursor's position asks for: the text in ``⟦…⟧`` is what is kept."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    go,
    rust,
)


def test_rust_a_body_ends_with_its_brace() -> None:
    shown = rust("""\
fn f(a: u8) -> u8 {
    <CURSOR>
}
""").end_of("""\
let b = a;
    b
}

fn g() {\
""")
    assert shown == snapshot("""\
block, complete:
fn f(a: u8) -> u8 {
    ⟦let b = a;
    b
}⟧

fn g() {\
""")


def test_rust_a_match_ends_with_its_brace() -> None:
    shown = rust("""\
fn f(a: u8) -> u8 {
    let b = a;
    <CURSOR>
}
""").end_of("""\
match b {
        0 => 1,
        _ => 2,
    }
}
""")
    assert shown == snapshot("""\
statement, complete:
fn f(a: u8) -> u8 {
    let b = a;
    ⟦match b {
        0 => 1,
        _ => 2,
    }⟧
}
""")


def test_go_a_body_ends_with_its_brace() -> None:
    shown = go("""\
package a

func f(a int) int {
	<CURSOR>
}
""").end_of("""\
b := a
	return b
}

func g() {\
""")
    assert shown == snapshot("""\
block, complete:
package a

func f(a int) int {
	⟦b := a
	return b
}⟧

func g() {\
""")


def test_go_an_if_ends_with_its_brace() -> None:
    shown = go("""\
package a

func f(a int) int {
	b := a
	<CURSOR>
}
""").end_of("""\
if b > 0 {
		return 1
	}
	return 2
""")
    assert shown == snapshot("""\
statement, complete:
package a

func f(a int) int {
	b := a
	⟦if b > 0 {
		return 1
	}⟧
	return 2
""")
