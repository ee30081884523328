"""What the cursor stands in: the headers of the enclosing definitions are in ``⟦…⟧``."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    javascript,
    typescript,
    typescriptreact,
)


def test_javascript_a_function_just_opened() -> None:
    shown = javascript("""\
function f(a) {
  <CURSOR>
}
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦function f(a) {⟧
  <CURSOR>
}
""")


def test_javascript_a_returned_value() -> None:
    shown = javascript("""\
function f(a) {
  return <CURSOR>;
}
""").scope()
    assert shown == snapshot("""\
expression:
⟦function f(a) {⟧
  return <CURSOR>;
}
""")


def test_javascript_an_entry_of_an_object() -> None:
    shown = javascript("""\
const o = {
  <CURSOR>
};
""").scope()
    assert shown == snapshot("""\
expression:
const o = {
  <CURSOR>
};
""")


def test_javascript_a_comment() -> None:
    shown = javascript("""\
// a <CURSOR>
let x;
""").scope()
    assert shown == snapshot("""\
comment:
// a <CURSOR>
let x;
""")


def test_javascript_a_template_literal() -> None:
    assert javascript("let s = `a <CURSOR>`;\n").scope() == snapshot("""\
string:
let s = `a <CURSOR>`;
""")


def test_javascript_a_callback_just_opened() -> None:
    shown = javascript("""\
class A {
  m(x) {
    x.forEach((y) => {
      <CURSOR>
    });
  }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
⟦class A {⟧
  ⟦m(x) {⟧
    x.forEach(⟦(y) => {⟧
      <CURSOR>
    });
  }
}
"""
    )


def test_typescript_a_method_just_opened() -> None:
    shown = typescript("""\
interface P { x: number }
class A implements P {
  f(x: number): string {
    <CURSOR>
  }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
interface P { x: number }
⟦class A implements P {⟧
  ⟦f(x: number): string {⟧
    <CURSOR>
  }
}
"""
    )


def test_typescriptreact_an_element_of_jsx() -> None:
    assert typescriptreact("const a = <div>{<CURSOR>}</div>;\n").scope() == snapshot("""\
expression:
const a = <div>{<CURSOR>}</div>;
""")
