"""When generated text has finished what the cursor's position asks for: the text in ``⟦…⟧`` is what is kept."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    python,
)


def test_python_the_rest_of_an_assignment_ends_with_its_line() -> None:
    shown = python("x = <CURSOR>").end_of("""\
1
y = 2
""")
    assert shown == snapshot("""\
rest, complete:
x = ⟦1⟧
y = 2
""")


def test_python_arguments_end_with_their_line() -> None:
    assert python("x = foo(<CURSOR>)").end_of("a, b\n") == snapshot("""\
rest, complete:
x = foo(⟦a, b⟧
""")


def test_python_an_argument_before_another_is_one_line() -> None:
    assert python("x = foo(<CURSOR>, c)").end_of("a\n") == snapshot("""\
line, complete:
x = foo(⟦a⟧
""")


def test_python_a_statement_ends_before_the_next() -> None:
    shown = python("<CURSOR>").end_of("""\
x = 1
y = 2
""")
    assert shown == snapshot("""\
statement, complete:
⟦x = 1⟧
y = 2
""")


def test_python_a_statement_on_a_line_not_ended_goes_on() -> None:
    assert python("<CURSOR>").end_of("x = 1") == snapshot("""\
statement, unfinished:
⟦x = 1⟧\
""")


def test_python_a_call_over_several_lines_ends_with_its_bracket() -> None:
    shown = python("<CURSOR>").end_of("""\
x = foo(
    1,
    2,
)
y = 2
""")
    assert shown == snapshot("""\
statement, complete:
⟦x = foo(
    1,
    2,
)⟧
y = 2
""")


def test_python_an_open_bracket_goes_on() -> None:
    shown = python("<CURSOR>").end_of("""\
x = foo(
    1,
""")
    assert shown == snapshot("""\
statement, unfinished:
⟦x = foo(
    1,
⟧\
""")


def test_python_an_if_ends_before_the_statement_after_it() -> None:
    shown = python("""\
def f():
    a = 1
    <CURSOR>
""").end_of("""\
if a:
        b()
        c()
    d()
""")
    assert shown == snapshot("""\
statement, complete:
def f():
    a = 1
    ⟦if a:
        b()
        c()⟧
    d()
""")


def test_python_an_if_goes_on_while_nothing_follows() -> None:
    shown = python("""\
def f():
    a = 1
    <CURSOR>
""").end_of("""\
if a:
        b()
""")
    assert shown == snapshot("""\
statement, unfinished:
def f():
    a = 1
    ⟦if a:
        b()
⟧\
""")


def test_python_a_body_ends_before_the_next_function() -> None:
    shown = python("""\
def f():
    <CURSOR>\
""").end_of("""\
a = 1
    b = 2
    return a


def g():
    pass
""")
    assert shown == snapshot("""\
block, complete:
def f():
    ⟦a = 1
    b = 2
    return a⟧


def g():
    pass
""")


def test_python_a_body_goes_on_while_nothing_follows() -> None:
    shown = python("""\
def f():
    <CURSOR>\
""").end_of("""\
a = 1
    b = 2
""")
    assert shown == snapshot("""\
block, unfinished:
def f():
    ⟦a = 1
    b = 2
⟧\
""")


def test_python_a_body_may_begin_behind_the_colon() -> None:
    shown = python("def f():<CURSOR>").end_of("""\

    a = 1
    return a
x = 1
""")
    assert shown == snapshot("""\
block, complete:
def f():⟦
    a = 1
    return a⟧
x = 1
""")


def test_python_a_body_ends_before_the_next_method() -> None:
    shown = python("""\
class A:
    def f(self):
        <CURSOR>\
""").end_of("""\
return 1

    def g(self):
""")
    assert shown == snapshot("""\
block, complete:
class A:
    def f(self):
        ⟦return 1⟧

    def g(self):
""")


def test_python_a_docstring_belongs_to_the_body() -> None:
    shown = python("""\
def f():
    <CURSOR>\
""").end_of('''\
"""One.

Two.
"""
    return 1
x
''')
    assert shown == snapshot('''\
block, complete:
def f():
    ⟦"""One.

Two.
"""
    return 1⟧
x
''')


def test_python_an_element_of_a_list_ends_with_its_line() -> None:
    shown = python("""\
x = [
    <CURSOR>
]\
""").end_of("""\
1,
    2,
""")
    assert shown == snapshot("""\
rest, complete:
x = [
    ⟦1,⟧
    2,
""")
