"""How much is suggested: the rest of a line, a statement, or the whole block that has just been opened."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import c, go, java, javascript, kotlin, python


async def test_the_rest_of_a_statement_ends_with_its_line() -> None:
    shown = await python("x = <CURSOR>\n").completed_by("""\
1
y = 2
""")
    assert shown == snapshot("x = ⟦1⟧\n")


async def test_a_block_just_opened_is_filled_to_its_end() -> None:
    shown = await python("""\
def f(a):
    <CURSOR>
""").completed_by("""\
b = a
    return b


def g():\
""")
    assert shown == snapshot("""\
def f(a):
    ⟦b = a
    return b⟧
""")


async def test_an_empty_line_below_a_statement_gets_one_statement() -> None:
    shown = await python("""\
def f(a):
    b = a
    <CURSOR>
""").completed_by("""\
return b


def g():\
""")
    assert shown == snapshot("""\
def f(a):
    b = a
    ⟦return b⟧
""")


async def test_without_multiline_a_block_gets_its_first_line() -> None:
    shown = await python("""\
def f(a):
    <CURSOR>
""").completed_by(
        """\
b = a
    return b
""",
        multiline=False,
    )
    assert shown == snapshot("""\
def f(a):
    ⟦b = a⟧
""")


async def test_parameters_bring_the_body() -> None:
    shown = await javascript("function f(<CURSOR>)\n").completed_by("""\
a, b) {
  return a + b;
}

function g() {\
""")
    assert shown == snapshot("""\
function f(⟦a, b) {
  return a + b;
}⟧
""")


async def test_a_condition_without_statements_brings_its_block() -> None:
    shown = await java("""\
class A {
  void f() {
    if (<CURSOR>)
  }
}
""").completed_by("""\
a > 0) {
      b();
    }
    c();
""")
    assert shown == snapshot("""\
class A {
  void f() {
    if (⟦a > 0) {
      b();
    }⟧
  }
}
""")


async def test_parameters_bring_the_result_and_the_body_in_go() -> None:
    shown = await go("""\
package a

func f(<CURSOR>)
""").completed_by("""\
a int) int {
	return a
}

func g\
""")
    assert shown == snapshot("""\
package a

func f(⟦a int) int {
	return a
}⟧
""")


async def test_a_callback_is_closed_with_its_last_argument() -> None:
    shown = await javascript("""\
function C() {
  useEffect(() => {
    <CURSOR>
}
""").completed_by("""\
fetch(a);
  }, [a]);

  return 1;
""")
    assert shown == snapshot("""\
function C() {
  useEffect(() => {
    ⟦fetch(a);
  }, [a]);⟧
}
""")


async def test_a_struct_is_closed_with_its_name() -> None:
    shown = await c("""\
typedef struct {
    <CURSOR>
""").completed_by("""\
int a;
    int b;
} point_t;

int c;
""")
    assert shown == snapshot("""\
typedef struct {
    ⟦int a;
    int b;
} point_t;⟧
""")


async def test_blank_lines_before_a_statement_stay() -> None:
    shown = await python("""\
x = 1
  <CURSOR>
""").completed_by("""\


y = 2
z = 3
""")
    assert shown == snapshot("""\
x = 1
  ⟦

y = 2⟧
""")


async def test_a_function_within_the_function_after_its_return_is_left_out() -> None:
    shown = await python("""\
def f(n):
    <CURSOR>
""").completed_by("""\
    return g(n)

    def h(n):
        return n
""")
    assert shown == snapshot("""\
def f(n):
    ⟦return g(n)⟧
""")


async def test_a_block_begun_at_the_start_of_a_line_is_filled_to_its_end() -> None:
    shown = await python("""\
if a:
<CURSOR>
""").completed_by("""\
    b()
    c()
d()
""")
    assert shown == snapshot("""\
if a:
⟦    b()
    c()⟧
""")


async def test_braces_of_every_depth_belong_to_the_statement() -> None:
    shown = await javascript("""\
function f(x) {
  <CURSOR>
}
""").completed_by("""\
for (;;) {
    if (a) {
      if (b) {
        c();
      }
    }
  }
""")
    assert shown == snapshot("""\
function f(x) {
  ⟦for (;;) {
    if (a) {
      if (b) {
        c();
      }
    }
  }⟧
}
""")


async def test_a_dictionary_over_several_lines_is_the_rest_of_a_statement() -> None:
    shown = await python("x = <CURSOR>\n").completed_by("""\
{
    "a": 1,
    "b": 2,
}
y = 1
""")
    assert shown == snapshot("""\
x = ⟦{
    "a": 1,
    "b": 2,
}⟧
""")


async def test_a_name_brings_parameters_and_body() -> None:
    shown = await python("def foo<CURSOR>\n").completed_by("""\
(a, b):
    return a


def g():
""")
    assert shown == snapshot("""\
def foo⟦(a, b):
    return a⟧
""")


async def test_a_signature_brings_its_body() -> None:
    shown = await java("""\
class A {
    public String toString() <CURSOR>
}
""").completed_by("""\
{
        return "";
    }

    int x;
""")
    assert shown == snapshot("""\
class A {
    public String toString() ⟦{
        return "";
    }⟧
}
""")


async def test_an_arrow_brings_its_body() -> None:
    shown = await javascript("const f = async (a) => <CURSOR>\n").completed_by("""\
{
  b();
};
c();
""")
    assert shown == snapshot("""\
const f = async (a) => ⟦{
  b();
};⟧
""")


async def test_a_result_type_brings_the_body() -> None:
    shown = await kotlin("fun f(): Int <CURSOR>\n").completed_by("""\
{
    return 1
}

fun g()\
""")
    assert shown == snapshot("""\
fun f(): Int ⟦{
    return 1
}⟧
""")


async def test_an_empty_function_is_filled_to_its_return() -> None:
    shown = await python("""\
def f(items):
    <CURSOR>
""").completed_by("""\
total = 0
    for item in items:
        total += item
    return total


def g():
""")
    assert shown == snapshot("""\
def f(items):
    ⟦total = 0
    for item in items:
        total += item
    return total⟧
""")


async def test_a_decorators_name_keeps_the_function_that_stands_below() -> None:
    shown = await python("""\
@<CURSOR>
def f():
    pass
""").completed_by("property\n")
    assert shown == snapshot("""\
@⟦property⟧
def f():
    pass
""")
