"""Blanks at the suggestion's edges, and indentation in the file's own unit."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import go, java, python


async def test_tabs_where_the_file_has_tabs() -> None:
    shown = await go("""\
func f() {
	if x {
		a()
	}
	<CURSOR>
}
""").completed_by("""\
if y {
        b()
    }
""")
    assert shown == snapshot("""\
func f() {
	if x {
		a()
	}
	⟦if y {
		b()
	}⟧
}
""")


async def test_two_spaces_where_the_file_has_two() -> None:
    shown = await python("""\
def f():
  if a:
    b()
  <CURSOR>
""").completed_by("""\
if c:
		d()
  e()\
""")
    assert shown == snapshot("""\
def f():
  if a:
    b()
  ⟦if c:
    d()⟧
""")


async def test_blanks_around_an_expression_are_dropped() -> None:
    shown = await python("""\
def f():
    return <CURSOR>
""").completed_by("  1  \n")
    assert shown == snapshot("""\
def f():
    return ⟦1⟧
""")


async def test_blank_lines_are_not_offered() -> None:
    shown = await python("x = <CURSOR>").completed_by("   \n  \n")
    assert shown == snapshot("no suggestion: the model has nothing to add")


async def test_the_cursors_line_decides_between_tabs_and_spaces() -> None:
    shown = await python("""\
if a:
	b = 2
	if b:
		<CURSOR>
def f():
    a = 1
    b = 2
def f():
    a = 1
    b = 2
def f():
    a = 1
    b = 2
""").completed_by("""\
c = 1
		d = 2
""")
    assert shown == snapshot("""\
if a:
	b = 2
	if b:
		⟦c = 1
		d = 2⟧
def f():
    a = 1
    b = 2
def f():
    a = 1
    b = 2
def f():
    a = 1
    b = 2
""")


async def test_indentation_at_the_start_of_a_file_is_dropped() -> None:
    shown = await python("<CURSOR>").completed_by("""\
        x = 1
        y = 2
""")
    assert shown == snapshot("⟦x = 1⟧")


async def test_a_block_moves_with_its_header() -> None:
    shown = await python("""\
def f():
    a()
    <CURSOR>
""").completed_by("""\
    if b:
            c()
""")
    assert shown == snapshot("""\
def f():
    a()
    ⟦if b:
        c()⟧
""")


async def test_a_first_line_is_indented_as_the_file_where_the_cursor_is_at_its_start() -> None:
    shown = await go("""\
func f() {
	if x {
		a()
	}
<CURSOR>
}
""").completed_by("    b()\n")
    assert shown == snapshot("""\
func f() {
	if x {
		a()
	}
⟦	b()⟧
}
""")


async def test_blanks_behind_a_word_are_no_indentation() -> None:
    assert await go("func f() {\n\tx :=<CURSOR>\n}\n").completed_by("    1\n") == snapshot("""\
func f() {
	x :=⟦    1⟧
}
""")


async def test_a_comments_stars_keep_their_blank_in_a_file_of_tabs() -> None:
    shown = await java("""\
class A {
	int x;

	<CURSOR>
}
""").completed_by("""\
/**
     * Does it.
     */
    void f() {
        x();
    }
""")
    assert shown == snapshot("""\
class A {
	int x;

	⟦/**
	 * Does it.
	 */
	void f() {
		x();
	}⟧
}
""")
