"""When generated text has finished what the cursor's position began: the text up to ``|`` is what is kept."""

from __future__ import annotations

import pytest

from codegemma_lsp.syntax import completion_end, cursor_scope, extent_at, parse
from tests.marks import at_cursor


def check(language: str, marked: str, generated: str, *, extent: str) -> None:
    """``generated`` has a ``¦`` where it is complete, or none where it is not."""
    text, offset = at_cursor(marked)
    scope = cursor_scope(parse(text, language), offset)
    line_end = text.find("\n", offset)
    rest = text[offset : len(text) if line_end < 0 else line_end]
    found = extent_at(scope, text_follows=bool(rest.strip(")]}\"'; ")))
    assert found.name.lower() == extent
    whole = generated.replace("¦", "")
    end = completion_end(parse(text[:offset] + whole, language), offset, scope, found, parse(text, language))
    shown = whole if end is None else f"{whole[: end - offset]}¦{whole[end - offset :]}"
    assert shown == generated


def test_python() -> None:
    check("python", "x = <CURSOR>", "1¦\ny = 2\n", extent="rest")
    check("python", "x = foo(<CURSOR>)", "a, b¦\n", extent="rest")
    check("python", "x = foo(<CURSOR>, c)", "a¦\n", extent="line")
    check("python", "<CURSOR>", "x = 1¦\ny = 2\n", extent="statement")
    check("python", "<CURSOR>", "x = 1", extent="statement")
    check("python", "<CURSOR>", "x = foo(\n    1,\n    2,\n)¦\ny = 2\n", extent="statement")
    check("python", "<CURSOR>", "x = foo(\n    1,\n", extent="statement")
    check(
        "python",
        "def f():\n    a = 1\n    <CURSOR>\n",
        "if a:\n        b()\n        c()¦\n    d()\n",
        extent="statement",
    )
    check("python", "def f():\n    a = 1\n    <CURSOR>\n", "if a:\n        b()\n", extent="statement")
    check(
        "python", "def f():\n    <CURSOR>", "a = 1\n    b = 2\n    return a¦\n\n\ndef g():\n    pass\n", extent="block"
    )
    check("python", "def f():\n    <CURSOR>", "a = 1\n    b = 2\n", extent="block")
    check("python", "def f():<CURSOR>", "\n    a = 1\n    return a¦\nx = 1\n", extent="block")
    check("python", "class A:\n    def f(self):\n        <CURSOR>", "return 1¦\n\n    def g(self):\n", extent="block")
    check("python", "def f():\n    <CURSOR>", '"""One.\n\nTwo.\n"""\n    return 1¦\nx\n', extent="block")
    check("python", "x = [\n    <CURSOR>\n]", "1,¦\n    2,\n", extent="rest")


def test_javascript() -> None:
    check("javascript", "function f() {\n  <CURSOR>\n}\n", "a();\n  b();\n}¦\n\nfunction g() {", extent="block")
    check("javascript", "function f() {\n  <CURSOR>\n}\n", "a();\n  b();\n", extent="block")
    check(
        "javascript",
        "function f() {\n  a();\n  <CURSOR>\n}\n",
        "if (x) {\n    y();\n  }¦\n  z();\n",
        extent="statement",
    )
    check("javascript", "function f() {\n  a();\n  <CURSOR>\n}\n", "const x = 1¦\n  const y = 2\n", extent="statement")
    check("javascript", "xs.map((x) => {\n  <CURSOR>\n", "return x;\n});¦\nfoo();\n", extent="block")
    check("javascript", "const a = <CURSOR>;\n", "b¦\n", extent="rest")
    check("javascript", "a();\n<CURSOR>", "b = `\n1\n`;¦\nc();\n", extent="statement")


def test_java() -> None:
    check(
        "java",
        "class A {\n    void f() {\n        <CURSOR>\n    }\n}\n",
        "a();\n        b();\n    }¦\n\n",
        extent="block",
    )
    check(
        "java",
        "class A {\n    void f() {\n        a();\n        <CURSOR>\n    }\n}\n",
        "int x =\n            1;¦\n        y();\n",
        extent="statement",
    )
    check(
        "java",
        "class A {\n    void f() {\n        a();\n        <CURSOR>\n    }\n}\n",
        "if (x)\n        {\n            y();\n        }¦\n        z();\n",
        extent="statement",
    )


def test_kotlin() -> None:
    check(
        "kotlin",
        "fun f(a: Int): Int {\n    <CURSOR>\n}\n",
        "val x = a\n    return x\n}¦\n\nfun g() {}\n",
        extent="block",
    )
    check(
        "kotlin", "fun f(a: Int): Int {\n    val x = a\n    <CURSOR>\n}\n", "return x¦\n    y()\n", extent="statement"
    )


def test_cpp() -> None:
    check("cpp", "int f(int a) {\n    <CURSOR>\n}\n", "int b = a;\n    return b;\n}¦\n\nint g() {", extent="block")
    check(
        "cpp",
        "int f(int a) {\n    a++;\n    <CURSOR>\n}\n",
        "for (int i = 0; i < a; i++) {\n        g(i);\n    }¦\n    return a;\n",
        extent="statement",
    )


def test_csharp() -> None:
    check(
        "csharp",
        "class A {\n    int F(int a) {\n        <CURSOR>\n    }\n}\n",
        "var b = a;\n        return b;\n    }¦\n\n",
        extent="block",
    )
    check(
        "csharp",
        "class A {\n    int F(int a) {\n        a++;\n        <CURSOR>\n    }\n}\n",
        "return a;¦\n        b();\n",
        extent="statement",
    )


def test_rust() -> None:
    check("rust", "fn f(a: u8) -> u8 {\n    <CURSOR>\n}\n", "let b = a;\n    b\n}¦\n\nfn g() {", extent="block")
    check(
        "rust",
        "fn f(a: u8) -> u8 {\n    let b = a;\n    <CURSOR>\n}\n",
        "match b {\n        0 => 1,\n        _ => 2,\n    }¦\n}\n",
        extent="statement",
    )


def test_go() -> None:
    check(
        "go",
        "package a\n\nfunc f(a int) int {\n\t<CURSOR>\n}\n",
        "b := a\n\treturn b\n}¦\n\nfunc g() {",
        extent="block",
    )
    check(
        "go",
        "package a\n\nfunc f(a int) int {\n\tb := a\n\t<CURSOR>\n}\n",
        "if b > 0 {\n\t\treturn 1\n\t}¦\n\treturn 2\n",
        extent="statement",
    )


def test_keyword_blocks() -> None:
    check("ruby", "def f(a)\n  <CURSOR>\nend\n", "b = a\n  while b do\n    c\n  end\n  b if b\nend¦\n", extent="block")
    check("lua", "local function f(a)\n  <CURSOR>\nend\n", "if a then\n    b()\n  end\nend¦\n", extent="block")
    check("shellscript", "for x in a; do\n  <CURSOR>\ndone\n", "if a; then\n    b\n  fi\ndone¦\n", extent="block")


def test_tags() -> None:
    check("html", "<ul>\n  <CURSOR>\n</ul>\n", "<li>a<br></li>\n</ul>¦\n", extent="block")


@pytest.mark.parametrize("generated", ["", "\n", "\n\n\n", "   ", "\t\n"])
def test_blank_text_completes_nothing(generated: str) -> None:
    check("python", "def f():\n    <CURSOR>", generated, extent="block")
    check("go", "package a\n\nfunc f() {\n\t<CURSOR>\n}\n", generated, extent="block")


def test_plain_text() -> None:
    check("plaintext", "<CURSOR>", "some words¦\nmore\n", extent="statement")
