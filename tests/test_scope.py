"""Where the cursor stands, in each of the languages CodeGemma was made for."""

from __future__ import annotations

import pytest

from codegemma_lsp.syntax import cursor_scope, parse
from tests.marks import at_cursor


def check(language: str, marked: str, place: str, *, headers: tuple[str, ...] = (), opened: bool = False) -> None:
    text, offset = at_cursor(marked)
    scope = cursor_scope(parse(text, language), offset)
    found = tuple(text[span.start : span.end] for span in scope.headers)
    assert (scope.kind.name.lower(), found, scope.opened) == (place, headers, opened)


def test_python() -> None:
    check("python", "<CURSOR>", "statement")
    check("python", "x = <CURSOR>", "expression")
    check("python", "x = foo(<CURSOR>)", "expression")
    check("python", "x = {\n    <CURSOR>\n}\n", "expression")
    check("python", "x = 1  # it's <CURSOR>", "comment")
    check("python", "x = 'a <CURSOR> b'", "string")
    check("python", "x = 'never closed <CURSOR>\ny = 1", "string")
    check("python", "def f(a):\n    <CURSOR>", "statement", headers=("def f(a):",), opened=True)
    check("python", "def f(a):<CURSOR>", "expression", headers=("def f(a):",), opened=True)
    check("python", "def f(a):\n    x = 1\n    <CURSOR>\n", "statement", headers=("def f(a):",))
    check("python", "def f(a):\n    x = 1\n<CURSOR>\n", "statement")
    check(
        "python",
        "class A:\n    def f(self):\n        return <CURSOR>\n\n    def g(self):\n        pass\n",
        "expression",
        headers=("class A:", "def f(self):"),
    )
    check(
        "python",
        "class A(B):\n    x = 1\n\n    <CURSOR>\n\n    def g(self):\n        pass\n",
        "statement",
        headers=("class A(B):",),
    )
    check(
        "python",
        "def f():\n    if x:\n        <CURSOR>\n    return 1\n",
        "statement",
        headers=("def f():",),
        opened=True,
    )
    check("python", "def f():\n    if x:\n        <CURSOR>\n        return 1\n", "statement", headers=("def f():",))
    check("python", "d = {'a':<CURSOR>}", "expression")
    check("python", "x: <CURSOR>", "expression")


def test_javascript() -> None:
    check("javascript", "function f(a) {\n  <CURSOR>\n}\n", "statement", headers=("function f(a) {",), opened=True)
    check("javascript", "function f(a) {\n  return <CURSOR>;\n}\n", "expression", headers=("function f(a) {",))
    check("javascript", "const o = {\n  <CURSOR>\n};\n", "expression")
    check("javascript", "// a <CURSOR>\nlet x;\n", "comment")
    check("javascript", "let s = `a <CURSOR>`;\n", "string")
    check(
        "javascript",
        "class A {\n  m(x) {\n    x.forEach((y) => {\n      <CURSOR>\n    });\n  }\n}\n",
        "statement",
        headers=("class A {", "m(x) {", "(y) => {"),
        opened=True,
    )


def test_typescript() -> None:
    check(
        "typescript",
        "interface P { x: number }\nclass A implements P {\n  f(x: number): string {\n    <CURSOR>\n  }\n}\n",
        "statement",
        headers=("class A implements P {", "f(x: number): string {"),
        opened=True,
    )
    check("typescriptreact", "const a = <div>{<CURSOR>}</div>;\n", "expression")


def test_java() -> None:
    check(
        "java",
        "class A {\n    int f(int a) {\n        <CURSOR>\n    }\n}\n",
        "statement",
        headers=("class A {", "int f(int a) {"),
        opened=True,
    )
    check(
        "java",
        "class A {\n    int f(int a) {\n        return g(a, <CURSOR>);\n    }\n}\n",
        "expression",
        headers=("class A {", "int f(int a) {"),
    )
    check("java", "class A {\n    /* <CURSOR> */\n}\n", "comment", headers=("class A {",))
    check("java", 'class A {\n    String s = "<CURSOR>";\n}\n', "string", headers=("class A {",))


def test_kotlin() -> None:
    check(
        "kotlin",
        "class A(val x: Int) {\n    fun f(a: Int): Int {\n        <CURSOR>\n    }\n}\n",
        "statement",
        headers=("class A(val x: Int) {", "fun f(a: Int): Int {"),
        opened=True,
    )
    check("kotlin", "val x = listOf(<CURSOR>)\n", "expression")
    check("kotlin", 'val s = "<CURSOR>"\n', "string")


def test_cpp() -> None:
    check("cpp", "int f(int a) {\n    <CURSOR>\n}\n", "statement", headers=("int f(int a) {",), opened=True)
    check("cpp", "int a[] = {1, <CURSOR>};\n", "expression")
    check(
        "cpp",
        "namespace n {\nclass A {\n    int f() {\n        int x = 1;\n        <CURSOR>\n    }\n};\n}\n",
        "statement",
        headers=("namespace n {", "class A {", "int f() {"),
    )
    check("cpp", "// <CURSOR>\n", "comment")


def test_csharp() -> None:
    check(
        "csharp",
        "namespace N {\n  class A {\n    int F(int a) {\n      <CURSOR>\n    }\n  }\n}\n",
        "statement",
        headers=("namespace N {", "class A {", "int F(int a) {"),
        opened=True,
    )
    check("csharp", 'class A { string s = "<CURSOR>"; }\n', "string", headers=("class A {",))
    check("csharp", "class A {\n  int F() => <CURSOR>;\n}\n", "expression", headers=("class A {", "int F() =>"))


def test_rust() -> None:
    check(
        "rust",
        "impl A {\n    fn f(&self, a: u8) -> u8 {\n        <CURSOR>\n    }\n}\n",
        "statement",
        headers=("impl A {", "fn f(&self, a: u8) -> u8 {"),
        opened=True,
    )
    check("rust", "fn f<'a>(x: &'a str) {\n    g(<CURSOR>)\n}\n", "expression", headers=("fn f<'a>(x: &'a str) {",))
    check("rust", "fn f() {\n    let p = P { x: 1, <CURSOR> };\n}\n", "expression", headers=("fn f() {",))


def test_go() -> None:
    check(
        "go",
        "package a\n\nfunc f(a int) int {\n\t<CURSOR>\n}\n",
        "statement",
        headers=("func f(a int) int {",),
        opened=True,
    )
    check("go", "package a\n\nfunc f() {\n\tx := []int{1, <CURSOR>}\n}\n", "expression", headers=("func f() {",))
    check("go", "package a\n\n// <CURSOR>\n", "comment")


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("ruby", "def f(a)\n  <CURSOR>\nend\n"),
        ("ruby", "items.each do |item|\n  <CURSOR>\nend\n"),
        ("php", "<?php\nfunction f($a) {\n    <CURSOR>\n}\n"),
        ("lua", "local function f(a)\n  <CURSOR>\nend\n"),
        ("lua", "if x then\n  <CURSOR>\nend\n"),
        ("shellscript", "for x in a b; do\n  <CURSOR>\ndone\n"),
        ("css", "a {\n  <CURSOR>\n}\n"),
        ("html", "<ul>\n  <CURSOR>\n</ul>\n"),
        ("yaml", "a:\n  <CURSOR>\n"),
    ],
)
def test_a_block_just_opened_in_the_other_languages(language: str, marked: str) -> None:
    text, offset = at_cursor(marked)
    scope = cursor_scope(parse(text, language), offset)
    assert scope.opened
    assert scope.kind.name == "STATEMENT"


@pytest.mark.parametrize("language", ["", "plaintext", "no-such-language", "markdown"])
def test_any_other_language_is_plain_text(language: str) -> None:
    check(language, "some words\n<CURSOR>", "statement")
    check(language, "some <CURSOR>", "expression")
