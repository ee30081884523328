"""In Python, a suggestion on an empty line takes the depth that fits between the lines around it."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import python


async def test_a_statement_too_shallow_moves_into_the_loop() -> None:
    shown = await python("""\
def f(a):
    for b in a:
<CURSOR>
        c = b
    return c
""").completed_by("    g(b)")
    assert shown == snapshot("""\
def f(a):
    for b in a:
⟦        g(b)⟧
        c = b
    return c
""")


async def test_a_statement_at_the_loops_depth_stays() -> None:
    shown = await python("""\
def f(a):
    for b in a:
<CURSOR>
        c = b
    return c
""").completed_by("        g(b)")
    assert shown == snapshot("""\
def f(a):
    for b in a:
⟦        g(b)⟧
        c = b
    return c
""")


async def test_a_statement_too_deep_moves_out() -> None:
    shown = await python("""\
def f(a):
    for b in a:
<CURSOR>
        c = b
    return c
""").completed_by("            g(b)")
    assert shown == snapshot("""\
def f(a):
    for b in a:
⟦        g(b)⟧
        c = b
    return c
""")


async def test_the_first_statement_of_an_empty_block_moves_into_it() -> None:
    shown = await python("""\
def f(a):
    if a:
<CURSOR>
    return a
""").completed_by("    return a")
    assert shown == snapshot("""\
def f(a):
    if a:
⟦        return a⟧
    return a
""")


async def test_a_statement_below_a_blank_line_may_stand_outside_the_function() -> None:
    shown = await python("""\
def f(a):
    return a

<CURSOR>
""").completed_by("x = 1")
    assert shown == snapshot("""\
def f(a):
    return a

⟦x = 1⟧
""")


async def test_the_files_end_is_not_offered_in_a_documented_function_without_statements() -> None:
    shown = await python('''\
def area(a, h):
    """Half of a times h."""
<CURSOR>
''').completed_by("""\
if __name__ == "__main__":
    print(area(1, 2))
""")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_the_files_end_is_offered_below_a_documented_class() -> None:
    shown = await python('''\
class E(Exception):
    """Raised when."""


<CURSOR>
''').completed_by("""\
if __name__ == 1:
    f()\
""")
    assert shown == snapshot('''\
class E(Exception):
    """Raised when."""


⟦if __name__ == 1:
    f()⟧
''')


async def test_the_files_end_is_offered_below_a_statement() -> None:
    shown = await python("""\
x = 1
<CURSOR>
""").completed_by("""\
if __name__ == 1:
    f()
""")
    assert shown == snapshot("""\
x = 1
⟦if __name__ == 1:
    f()⟧
""")


async def test_a_statement_deeper_than_the_one_above_takes_its_depth() -> None:
    shown = await python("""\
def f():
    a = 1
<CURSOR>
""").completed_by("        return a\n")
    assert shown == snapshot("""\
def f():
    a = 1
⟦    return a⟧
""")


async def test_in_a_file_of_tabs_the_models_depth_stays() -> None:
    shown = await python("""\
def f(a):
	for b in a:
<CURSOR>
		c = b
	return c
""").completed_by("\t\tg(b)\n")
    assert shown == snapshot("""\
def f(a):
	for b in a:
⟦		g(b)⟧
		c = b
	return c
""")
