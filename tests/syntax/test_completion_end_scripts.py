"""When generated text has finished what the cursor's position asks for: the text in ``⟦…⟧`` is what is kept."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    javascript,
)


def test_javascript_a_body_ends_with_its_brace() -> None:
    shown = javascript("""\
function f() {
  <CURSOR>
}
""").end_of("""\
a();
  b();
}

function g() {\
""")
    assert shown == snapshot("""\
block, complete:
function f() {
  ⟦a();
  b();
}⟧

function g() {\
""")


def test_javascript_a_body_without_its_brace_goes_on() -> None:
    shown = javascript("""\
function f() {
  <CURSOR>
}
""").end_of("""\
a();
  b();
""")
    assert shown == snapshot("""\
block, unfinished:
function f() {
  ⟦a();
  b();
⟧\
""")


def test_javascript_an_if_ends_with_its_brace() -> None:
    shown = javascript("""\
function f() {
  a();
  <CURSOR>
}
""").end_of("""\
if (x) {
    y();
  }
  z();
""")
    assert shown == snapshot("""\
statement, complete:
function f() {
  a();
  ⟦if (x) {
    y();
  }⟧
  z();
""")


def test_javascript_a_statement_without_a_semicolon_ends_with_its_line() -> None:
    shown = javascript("""\
function f() {
  a();
  <CURSOR>
}
""").end_of("""\
const x = 1
  const y = 2
""")
    assert shown == snapshot("""\
statement, complete:
function f() {
  a();
  ⟦const x = 1⟧
  const y = 2
""")


def test_javascript_a_callback_ends_with_its_call() -> None:
    shown = javascript("""\
xs.map((x) => {
  <CURSOR>
""").end_of("""\
return x;
});
foo();
""")
    assert shown == snapshot("""\
block, complete:
xs.map((x) => {
  ⟦return x;
});⟧
foo();
""")


def test_javascript_a_value_before_a_semicolon_ends_with_its_line() -> None:
    assert javascript("const a = <CURSOR>;\n").end_of("b\n") == snapshot("""\
rest, complete:
const a = ⟦b⟧
""")


def test_javascript_a_template_literal_over_several_lines_is_one_statement() -> None:
    shown = javascript("""\
a();
<CURSOR>\
""").end_of("""\
b = `
1
`;
c();
""")
    assert shown == snapshot("""\
statement, complete:
a();
⟦b = `
1
`;⟧
c();
""")
