"""When generated text has finished what the cursor's position asks for: the text in ``⟦…⟧`` is what is kept."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    cpp,
    csharp,
    java,
    kotlin,
)


def test_java_a_body_ends_with_its_brace() -> None:
    shown = java("""\
class A {
    void f() {
        <CURSOR>
    }
}
""").end_of("""\
a();
        b();
    }

""")
    assert shown == snapshot("""\
block, complete:
class A {
    void f() {
        ⟦a();
        b();
    }⟧

""")


def test_java_a_declaration_over_several_lines_ends_with_its_semicolon() -> None:
    shown = java("""\
class A {
    void f() {
        a();
        <CURSOR>
    }
}
""").end_of("""\
int x =
            1;
        y();
""")
    assert shown == snapshot("""\
statement, complete:
class A {
    void f() {
        a();
        ⟦int x =
            1;⟧
        y();
""")


def test_java_an_if_with_braces_on_lines_of_their_own_ends_with_the_last() -> None:
    shown = java("""\
class A {
    void f() {
        a();
        <CURSOR>
    }
}
""").end_of("""\
if (x)
        {
            y();
        }
        z();
""")
    assert shown == snapshot("""\
statement, complete:
class A {
    void f() {
        a();
        ⟦if (x)
        {
            y();
        }⟧
        z();
""")


def test_kotlin_a_body_ends_with_its_brace() -> None:
    shown = kotlin("""\
fun f(a: Int): Int {
    <CURSOR>
}
""").end_of("""\
val x = a
    return x
}

fun g() {}
""")
    assert shown == snapshot("""\
block, complete:
fun f(a: Int): Int {
    ⟦val x = a
    return x
}⟧

fun g() {}
""")


def test_kotlin_a_return_ends_with_its_line() -> None:
    shown = kotlin("""\
fun f(a: Int): Int {
    val x = a
    <CURSOR>
}
""").end_of("""\
return x
    y()
""")
    assert shown == snapshot("""\
statement, complete:
fun f(a: Int): Int {
    val x = a
    ⟦return x⟧
    y()
""")


def test_cpp_a_body_ends_with_its_brace() -> None:
    shown = cpp("""\
int f(int a) {
    <CURSOR>
}
""").end_of("""\
int b = a;
    return b;
}

int g() {\
""")
    assert shown == snapshot("""\
block, complete:
int f(int a) {
    ⟦int b = a;
    return b;
}⟧

int g() {\
""")


def test_cpp_a_loop_ends_with_its_brace() -> None:
    shown = cpp("""\
int f(int a) {
    a++;
    <CURSOR>
}
""").end_of("""\
for (int i = 0; i < a; i++) {
        g(i);
    }
    return a;
""")
    assert shown == snapshot("""\
statement, complete:
int f(int a) {
    a++;
    ⟦for (int i = 0; i < a; i++) {
        g(i);
    }⟧
    return a;
""")


def test_csharp_a_body_ends_with_its_brace() -> None:
    shown = csharp("""\
class A {
    int F(int a) {
        <CURSOR>
    }
}
""").end_of("""\
var b = a;
        return b;
    }

""")
    assert shown == snapshot("""\
block, complete:
class A {
    int F(int a) {
        ⟦var b = a;
        return b;
    }⟧

""")


def test_csharp_a_return_ends_with_its_semicolon() -> None:
    shown = csharp("""\
class A {
    int F(int a) {
        a++;
        <CURSOR>
    }
}
""").end_of("""\
return a;
        b();
""")
    assert shown == snapshot("""\
statement, complete:
class A {
    int F(int a) {
        a++;
        ⟦return a;⟧
        b();
""")
