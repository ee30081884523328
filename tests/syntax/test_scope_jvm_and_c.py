"""What the cursor stands in: the headers of the enclosing definitions are in ``⟦…⟧``."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.syntax.story import (
    cpp,
    csharp,
    java,
    kotlin,
)


def test_java_a_method_just_opened() -> None:
    shown = java("""\
class A {
    int f(int a) {
        <CURSOR>
    }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
⟦class A {⟧
    ⟦int f(int a) {⟧
        <CURSOR>
    }
}
"""
    )


def test_java_an_argument() -> None:
    shown = java("""\
class A {
    int f(int a) {
        return g(a, <CURSOR>);
    }
}
""").scope()
    assert shown == snapshot("""\
expression:
⟦class A {⟧
    ⟦int f(int a) {⟧
        return g(a, <CURSOR>);
    }
}
""")


def test_java_a_comment() -> None:
    shown = java("""\
class A {
    /* <CURSOR> */
}
""").scope()
    assert shown == snapshot("""\
comment:
⟦class A {⟧
    /* <CURSOR> */
}
""")


def test_java_a_string() -> None:
    shown = java("""\
class A {
    String s = "<CURSOR>";
}
""").scope()
    assert shown == snapshot("""\
string:
⟦class A {⟧
    String s = "<CURSOR>";
}
""")


def test_kotlin_a_method_just_opened() -> None:
    shown = kotlin("""\
class A(val x: Int) {
    fun f(a: Int): Int {
        <CURSOR>
    }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
⟦class A(val x: Int) {⟧
    ⟦fun f(a: Int): Int {⟧
        <CURSOR>
    }
}
"""
    )


def test_kotlin_an_argument() -> None:
    assert kotlin("val x = listOf(<CURSOR>)\n").scope() == snapshot("""\
expression:
val x = listOf(<CURSOR>)
""")


def test_kotlin_a_string() -> None:
    assert kotlin('val s = "<CURSOR>"\n').scope() == snapshot("""\
string:
val s = "<CURSOR>"
""")


def test_cpp_a_function_just_opened() -> None:
    shown = cpp("""\
int f(int a) {
    <CURSOR>
}
""").scope()
    assert shown == snapshot("""\
statement in a block just opened:
⟦int f(int a) {⟧
    <CURSOR>
}
""")


def test_cpp_an_element_of_an_array() -> None:
    assert cpp("int a[] = {1, <CURSOR>};\n").scope() == snapshot("""\
expression:
int a[] = {1, <CURSOR>};
""")


def test_cpp_a_method_in_a_namespace() -> None:
    shown = cpp("""\
namespace n {
class A {
    int f() {
        int x = 1;
        <CURSOR>
    }
};
}
""").scope()
    assert shown == snapshot(
        """\
statement:
⟦namespace n {⟧
⟦class A {⟧
    ⟦int f() {⟧
        int x = 1;
        <CURSOR>
    }
};
}
"""
    )


def test_cpp_a_comment() -> None:
    assert cpp("// <CURSOR>\n").scope() == snapshot("""\
comment:
// <CURSOR>
""")


def test_csharp_a_method_just_opened() -> None:
    shown = csharp("""\
namespace N {
  class A {
    int F(int a) {
      <CURSOR>
    }
  }
}
""").scope()
    assert shown == snapshot(
        """\
statement in a block just opened:
⟦namespace N {⟧
  ⟦class A {⟧
    ⟦int F(int a) {⟧
      <CURSOR>
    }
  }
}
"""
    )


def test_csharp_a_string() -> None:
    assert csharp('class A { string s = "<CURSOR>"; }\n').scope() == snapshot("""\
string:
⟦class A {⟧ string s = "<CURSOR>"; }
""")


def test_csharp_the_expression_of_a_method() -> None:
    shown = csharp("""\
class A {
  int F() => <CURSOR>;
}
""").scope()
    assert shown == snapshot("""\
expression:
⟦class A {⟧
  ⟦int F() =>⟧ <CURSOR>;
}
""")
