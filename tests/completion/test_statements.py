"""What one statement is: with its decorators, its further branches, and all the lines that it takes."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import cpp, csharp, java, javascript, python, rust


async def test_a_docstring_over_several_lines_is_one_statement() -> None:
    shown = await python("<CURSOR>\n").completed_by('''\
"""Module doc.

More.
"""
import os
''')
    assert shown == snapshot('''\
⟦"""Module doc.

More.
"""⟧
''')


async def test_a_header_whose_block_stands_nowhere_is_not_shown_alone() -> None:
    shown = await python("""\
def area(self):
    for shape in self.<CURSOR>
    return total
""").completed_by("shapes:")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_nor_is_one_that_fills_an_empty_block_with_another() -> None:
    shown = await python("""\
def area(self):
    for shape in self.shapes:
        <CURSOR>
    return total
""").completed_by("if shape.visible:")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_header_brings_its_block() -> None:
    shown = await python("""\
def area(self):
    for shape in self.<CURSOR>
    return total
""").completed_by("""\
shapes:
        total += shape.area()
    return total
""")
    assert shown == snapshot("""\
def area(self):
    for shape in self.⟦shapes:
        total += shape.area()⟧
    return total
""")


async def test_a_decorator_brings_its_function() -> None:
    shown = await python("""\
class A:
    x = 1

    <CURSOR>
""").completed_by("""\
@property
    def f(self):
        return 1

    def g(self):
""")
    assert shown == snapshot("""\
class A:
    x = 1

    ⟦@property
    def f(self):
        return 1⟧
""")


async def test_a_template_brings_its_function() -> None:
    shown = await cpp("""\
int a;
<CURSOR>
""").completed_by("""\
template <typename T>
T max(T a, T b) {
  return a;
}
int b;
""")
    assert shown == snapshot("""\
int a;
⟦template <typename T>
T max(T a, T b) {
  return a;
}⟧
""")


async def test_an_attribute_brings_its_struct() -> None:
    shown = await rust("""\
fn a() {}

<CURSOR>
""").completed_by("""\
#[derive(Debug)]
struct A {
    b: u8,
}

fn c() {\
""")
    assert shown == snapshot("""\
fn a() {}

⟦#[derive(Debug)]
struct A {
    b: u8,
}⟧
""")


async def test_a_chain_of_methods_over_several_lines_is_one_statement() -> None:
    shown = await javascript("""\
function f(xs) {
  a();
  <CURSOR>
}
""").completed_by("""\
const r = xs
    .map((x) => x)
    .filter(Boolean);
  return r;
""")
    assert shown == snapshot("""\
function f(xs) {
  a();
  ⟦const r = xs
    .map((x) => x)
    .filter(Boolean);⟧
}
""")


async def test_a_chain_of_methods_in_rust_is_one_statement() -> None:
    shown = await rust("""\
fn f() {
    a();
    <CURSOR>
}
""").completed_by("""\
let x = foo(a)
        .bar()
        .baz()?;
    x
""")
    assert shown == snapshot("""\
fn f() {
    a();
    ⟦let x = foo(a)
        .bar()
        .baz()?;⟧
}
""")


async def test_an_except_belongs_to_its_try() -> None:
    shown = await python("""\
def f():
    a = 1
    <CURSOR>
""").completed_by("""\
try:
        y()
    except E:
        z()
    w()
""")
    assert shown == snapshot("""\
def f():
    a = 1
    ⟦try:
        y()
    except E:
        z()⟧
""")


async def test_an_else_belongs_to_its_if() -> None:
    shown = await python("""\
def f():
    a = 1
    <CURSOR>
""").completed_by("""\
if a:
        y()
    else:
        z()
    w()
""")
    assert shown == snapshot("""\
def f():
    a = 1
    ⟦if a:
        y()
    else:
        z()⟧
""")


async def test_an_else_below_a_brace_belongs_to_its_if() -> None:
    shown = await csharp("""\
class A {
    void F() {
        x();
        <CURSOR>
    }
}
""").completed_by("""\
if (a)
        {
            b();
        }
        else
        {
            c();
        }
        d();
""")
    assert shown == snapshot("""\
class A {
    void F() {
        x();
        ⟦if (a)
        {
            b();
        }
        else
        {
            c();
        }⟧
    }
}
""")


async def test_an_import_is_completed_with_its_module() -> None:
    shown = await javascript("import { <CURSOR>\n").completed_by('a, b } from "c";\n')
    assert shown == snapshot('import { ⟦a, b } from "c";⟧\n')


async def test_a_destructuring_is_completed_with_its_value() -> None:
    shown = await javascript("""\
function f(props) {
  const { <CURSOR>
}
""").completed_by("a, b } = props;\n")
    assert shown == snapshot("""\
function f(props) {
  const { ⟦a, b } = props;⟧
}
""")


async def test_a_function_in_a_namespace_ends_with_its_brace() -> None:
    shown = await cpp("""\
namespace a {
int x;
<CURSOR>
}
""").completed_by("""\
void f() {
  b();
}
""")
    assert shown == snapshot("""\
namespace a {
int x;
⟦void f() {
  b();
}⟧
}
""")


async def test_a_comment_brings_its_method() -> None:
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


async def test_an_else_after_a_brace_brings_its_block() -> None:
    shown = await javascript("""\
if (a) {
  b();
} <CURSOR>
""").completed_by("""\
else {
  c();
}
d();
""")
    assert shown == snapshot("""\
if (a) {
  b();
} ⟦else {
  c();
}⟧
""")


async def test_a_method_below_the_classs_docstring_is_one_statement() -> None:
    shown = await python('''\
class A:
    """Doc."""
    <CURSOR>
''').completed_by("""\
def __init__(self):
        self.x = 1

    def g(self):
""")
    assert shown == snapshot('''\
class A:
    """Doc."""
    ⟦def __init__(self):
        self.x = 1⟧
''')


async def test_a_statement_that_leaves_its_block_ends_it() -> None:
    shown = await python("""\
for x in xs:
    if x:
        <CURSOR>
""").completed_by("""\
continue
    y(x)
""")
    assert shown == snapshot("""\
for x in xs:
    if x:
        ⟦continue⟧
""")


async def test_one_statement_of_a_case_is_offered() -> None:
    shown = await javascript("""\
switch (a) {
  case 1:
    <CURSOR>
}
""").completed_by("""\
b();
    break;
  case 2:
""")
    assert shown == snapshot("""\
switch (a) {
  case 1:
    ⟦b();⟧
}
""")
