"""No suggestion adds a syntax error."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import javascript, python, typescript


async def test_a_bracket_never_closed_is_not_offered() -> None:
    shown = await python("""\
x = 1
<CURSOR>
""").completed_by("y = (1, 2\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_broken_header_is_not_offered() -> None:
    shown = await python("""\
x = 1
<CURSOR>
""").completed_by("""\
def f(:
    pass
""")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_bracket_too_many_is_left_out() -> None:
    assert await python("<CURSOR>\n").completed_by("x = 1)\n") == snapshot("⟦x = 1⟧\n")


async def test_a_bracket_alone_is_not_offered() -> None:
    shown = await python("<CURSOR>\n").completed_by(")\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_lines_before_the_broken_one_are_offered() -> None:
    shown = await python("""\
def f():
    <CURSOR>
""").completed_by("""\
a = 1
    b = (2,
""")
    assert shown == snapshot("""\
def f():
    ⟦a = 1⟧
""")


async def test_a_loop_whose_body_is_too_shallow_is_not_offered() -> None:
    shown = await python("""\
def f(a):
    <CURSOR>
    return a
""").completed_by("""\
for b in a:
    c()\
""")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_second_statement_on_a_line_is_not_offered() -> None:
    """The grammar finds a line end missing between them, and has no node for it."""
    shown = await python("""\
def f():
    <CURSOR>pass
""").completed_by("print(1)")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_second_statement_after_a_semicolon_is_offered() -> None:
    shown = await python("""\
def f():
    <CURSOR>pass
""").completed_by("print(1); ")
    assert shown == snapshot("""\
def f():
    ⟦print(1); ⟧pass
""")


async def test_a_return_outside_of_functions_is_not_offered() -> None:
    shown = await javascript("""\
const a = 1;
<CURSOR>
""").completed_by("return a;\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_return_within_a_function_is_offered() -> None:
    shown = await javascript("""\
const f = function* (a) {
  <CURSOR>
};
""").completed_by("return a;\n")
    assert shown == snapshot("""\
const f = function* (a) {
  ⟦return a;⟧
};
""")


async def test_a_return_beside_others_outside_of_functions_is_offered() -> None:
    """The file is run within a function, as scripts of some tools are."""
    shown = await typescript("""\
if (a) { return 1; }
<CURSOR>
""").completed_by("return 2;\n")
    assert shown == snapshot("""\
if (a) { return 1; }
⟦return 2;⟧
""")
