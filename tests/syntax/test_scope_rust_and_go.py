"""What the cursor stands in: the headers of the enclosing definitions are in ``⟦…⟧``."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    go,
    rust,
)


def test_rust_a_method_just_opened() -> None:
    shown = rust("""\
impl A {
    fn f(&self, a: u8) -> u8 {
        <CURSOR>
    }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
⟦impl A {⟧
    ⟦fn f(&self, a: u8) -> u8 {⟧
        <CURSOR>
    }
}
"""
    )


def test_rust_an_argument_beside_a_lifetime() -> None:
    shown = rust("""\
fn f<'a>(x: &'a str) {
    g(<CURSOR>)
}
""").scope()
    assert shown == snapshot("""\
expression:
⟦fn f<'a>(x: &'a str) {⟧
    g(<CURSOR>)
}
""")


def test_rust_a_field_of_a_value() -> None:
    shown = rust("""\
fn f() {
    let p = P { x: 1, <CURSOR> };
}
""").scope()
    assert shown == snapshot("""\
expression:
⟦fn f() {⟧
    let p = P { x: 1, <CURSOR> };
}
""")


def test_go_a_function_just_opened() -> None:
    shown = go("""\
package a

func f(a int) int {
	<CURSOR>
}
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
package a

⟦func f(a int) int {⟧
	<CURSOR>
}
""")


def test_go_an_element_of_a_slice() -> None:
    shown = go("""\
package a

func f() {
	x := []int{1, <CURSOR>}
}
""").scope()
    assert shown == snapshot("""\
expression:
package a

⟦func f() {⟧
	x := []int{1, <CURSOR>}
}
""")


def test_go_a_comment() -> None:
    shown = go("""\
package a

// <CURSOR>
""").scope()
    assert shown == snapshot("""\
comment:
package a

// <CURSOR>
""")
