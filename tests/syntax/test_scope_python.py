"""What the cursor stands in: the headers of the enclosing definitions are in ``⟦…⟧``."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    python,
)


def test_python_an_empty_file() -> None:
    assert python("<CURSOR>").scope() == snapshot("""\
statement:
<CURSOR>\
""")


def test_python_the_value_of_an_assignment() -> None:
    assert python("x = <CURSOR>").scope() == snapshot("""\
expression:
x = <CURSOR>\
""")


def test_python_an_argument() -> None:
    assert python("x = foo(<CURSOR>)").scope() == snapshot("""\
expression:
x = foo(<CURSOR>)\
""")


def test_python_an_entry_of_a_dictionary() -> None:
    shown = python("""\
x = {
    <CURSOR>
}
""").scope()
    assert shown == snapshot("""\
expression:
x = {
    <CURSOR>
}
""")


def test_python_a_comment_with_an_apostrophe() -> None:
    assert python("x = 1  # it's <CURSOR>").scope() == snapshot("""\
comment:
x = 1  # it's <CURSOR>\
""")


def test_python_a_string() -> None:
    assert python("x = 'a <CURSOR> b'").scope() == snapshot("""\
string:
x = 'a <CURSOR> b'\
""")


def test_python_a_string_never_closed() -> None:
    shown = python("""\
x = 'never closed <CURSOR>
y = 1\
""").scope()
    assert shown == snapshot("""\
string:
x = 'never closed <CURSOR>
y = 1\
""")


def test_python_a_function_just_opened() -> None:
    shown = python("""\
def f(a):
    <CURSOR>\
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦def f(a):⟧
    <CURSOR>\
""")


def test_python_behind_the_colon_of_a_function() -> None:
    assert python("def f(a):<CURSOR>").scope() == snapshot("""\
expression in a block just opened:
⟦def f(a):⟧<CURSOR>\
""")


def test_python_below_a_statement_of_a_function() -> None:
    shown = python("""\
def f(a):
    x = 1
    <CURSOR>
""").scope()
    assert shown == snapshot("""\
statement:
⟦def f(a):⟧
    x = 1
    <CURSOR>
""")


def test_python_the_start_of_a_line_below_a_function() -> None:
    shown = python("""\
def f(a):
    x = 1
<CURSOR>
""").scope()
    assert shown == snapshot("""\
statement:
def f(a):
    x = 1
<CURSOR>
""")


def test_python_a_method_between_others() -> None:
    shown = python("""\
class A:
    def f(self):
        return <CURSOR>

    def g(self):
        pass
""").scope()
    assert shown == snapshot(
        """\
expression:
⟦class A:⟧
    ⟦def f(self):⟧
        return <CURSOR>

    def g(self):
        pass
"""
    )


def test_python_a_class_between_its_methods() -> None:
    shown = python("""\
class A(B):
    x = 1

    <CURSOR>

    def g(self):
        pass
""").scope()
    assert shown == snapshot("""\
statement:
⟦class A(B):⟧
    x = 1

    <CURSOR>

    def g(self):
        pass
""")


def test_python_an_if_just_opened() -> None:
    shown = python("""\
def f():
    if x:
        <CURSOR>
    return 1
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦def f():⟧
    if x:
        <CURSOR>
    return 1
""")


def test_python_an_if_above_its_statement() -> None:
    shown = python("""\
def f():
    if x:
        <CURSOR>
        return 1
""").scope()
    assert shown == snapshot("""\
statement:
⟦def f():⟧
    if x:
        <CURSOR>
        return 1
""")


def test_python_behind_the_colon_of_an_entry() -> None:
    assert python("d = {'a':<CURSOR>}").scope() == snapshot("""\
expression:
d = {'a':<CURSOR>}\
""")


def test_python_behind_the_colon_of_an_annotation() -> None:
    assert python("x: <CURSOR>").scope() == snapshot("""\
expression:
x: <CURSOR>\
""")
