"""Cursors and answers as they come in practice, in many languages: the document once the suggestion is accepted."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine

# Language, document with cursor, what the model says, and the document after accepting (None: no suggestion).
CASES: list[tuple[str, str, str, str | None]] = [
    ("javascript", "if (a > b<CURSOR>\n  c();\n}\n", ") {\n  return d;\n}\n", "if (a > b) {\n  c();\n}\n"),
    ("python", "if a <CURSOR>\n    c()\n", "> b:\n    return d\n", "if a > b:\n    c()\n"),
    (
        "javascript",
        "function f(<CURSOR>)\n",
        "a, b) {\n  return a + b;\n}\n\nfunction g() {",
        "function f(a, b) {\n  return a + b;\n}\n",
    ),
    (
        "java",
        "class A {\n  void f() {\n    if (<CURSOR>)\n  }\n}\n",
        "a > 0) {\n      b();\n    }\n    c();\n",
        "class A {\n  void f() {\n    if (a > 0) {\n      b();\n    }\n  }\n}\n",
    ),
    (
        "javascript",
        "items.forEach((<CURSOR>))\n",
        "item) => {\n  console.log(item);\n});\n\nfoo();\n",
        "items.forEach((item) => {\n  console.log(item);\n});\n",
    ),
    (
        "go",
        "package a\n\nfunc f(<CURSOR>)\n",
        "a int) int {\n\treturn a\n}\n\nfunc g",
        "package a\n\nfunc f(a int) int {\n\treturn a\n}\n",
    ),
    (
        "javascript",
        "function f() {\n  foo({<CURSOR>})\n}\n",
        "\n    a: 1,\n    b: 2\n  });\n  return 1;\n",
        "function f() {\n  foo({\n    a: 1,\n    b: 2\n  });\n}\n",
    ),
    ("python", "x = {<CURSOR>}\n", "\n    'a': 1,\n    'b': 2\n}\ny = 1\n", "x = {\n    'a': 1,\n    'b': 2\n}\n"),
    ("javascript", 'it("<CURSOR>")\n', 'works", () => {\n  expect(1).toBe(1);\n});\n', 'it("works")\n'),
    (
        "javascript",
        "function C() {\n  useEffect(() => {\n    <CURSOR>\n}\n",
        "fetch(a);\n  }, [a]);\n\n  return 1;\n",
        "function C() {\n  useEffect(() => {\n    fetch(a);\n  }, [a]);\n}\n",
    ),
    (
        "go",
        "package a\n\nfunc f() {\n\tgo func() {<CURSOR>}\n}\n",
        "\n\t\tb()\n\t}()\n\tc()\n",
        "package a\n\nfunc f() {\n\tgo func() {\n\t\tb()\n\t}()\n}\n",
    ),
    (
        "c",
        "typedef struct {\n    <CURSOR>\n",
        "int a;\n    int b;\n} point_t;\n\nint c;\n",
        "typedef struct {\n    int a;\n    int b;\n} point_t;\n",
    ),
    (
        "java",
        "class A {\n  int f() {\n    return <CURSOR>;\n  }\n}\n",
        "a + b;\n  }\n",
        "class A {\n  int f() {\n    return a + b;\n  }\n}\n",
    ),
    (
        "python",
        "if a:\n\tb = 2\n\tif b:\n\t\t<CURSOR>\n" + "def f():\n    a = 1\n    b = 2\n" * 9,
        "c = 1\n\t\td = 2\n",
        "if a:\n\tb = 2\n\tif b:\n\t\tc = 1\n\t\td = 2\n" + "def f():\n    a = 1\n    b = 2\n" * 9,
    ),
    ("python", "<CURSOR>", "        x = 1\n        y = 2\n", "x = 1"),
    ("python", "def f():\n    a = 1\n<CURSOR>\n", "        return a\n", "def f():\n    a = 1\n    return a\n"),
    ("python", "x = 1\n  <CURSOR>\n", "\n\ny = 2\nz = 3\n", "x = 1\n  \n\ny = 2\n"),
    (
        "python",
        "def f(n):\n    <CURSOR>\n",
        "    return g(n)\n\n    def h(n):\n        return n\n",
        "def f(n):\n    return g(n)\n",
    ),
    ("python", "if a:\n<CURSOR>\n", "    b()\n    c()\nd()\n", "if a:\n    b()\n    c()\n"),
    (
        "python",
        "def f():\n    a()\n    <CURSOR>\n",
        "    if b:\n            c()\n",
        "def f():\n    a()\n    if b:\n        c()\n",
    ),
    ("python", 'def f(a):\n    """<CURSOR>"""\n', 'Return a."""\n    return a', 'def f(a):\n    """Return a."""\n'),
    ("python", 'print(f"{<CURSOR>}")\n', 'x.name}")', 'print(f"{x.name}")\n'),
    ("javascript", "let s = `a ${<CURSOR>}`;\n", "b.c}`;", "let s = `a ${b.c}`;\n"),
    ("javascript", "const o = { <CURSOR> };\n", "a: 1, b: 2 };", "const o = { a: 1, b: 2 };\n"),
    ("python", "x = [ <CURSOR> ]\n", "1, 2 ]", "x = [ 1, 2 ]\n"),
    ("python", "x = f( <CURSOR> )\n", "1, 2", "x = f( 1, 2 )\n"),
    ("kotlin", "val a = xs.map { <CURSOR> }\n", "it + 1 }", "val a = xs.map { it + 1 }\n"),
    (
        "go",
        'package a\n\ntype A struct {\n\tB string `json:"<CURSOR>"`\n}\n',
        'b"`',
        'package a\n\ntype A struct {\n\tB string `json:"b"`\n}\n',
    ),
    ("html", '<p class="<CURSOR>"></p>\n', 'big">', '<p class="big"></p>\n'),
    ("cpp", "#include <<CURSOR>>\n", "vector>", "#include <vector>\n"),
    ("rust", "struct P {\n    a: Option<<CURSOR>>\n}\n", "u8>,", "struct P {\n    a: Option<u8>,\n}\n"),
    ("cpp", "std::vector<<CURSOR>>\n", "int> v;", "std::vector<int> v;\n"),
    ("rust", "fn f() {\n    g(&'a <CURSOR>);\n}\n", "str);", "fn f() {\n    g(&'a str);\n}\n"),
    ("python", "# don't f(<CURSOR>)\n", "x)", "# don't f(x)\n"),
    ("python", "x = f(<CURSOR>, 2)\n", "1)", "x = f(1, 2)\n"),
    ("python", "x = f(<CURSOR>)  # note\n", "a, b)", "x = f(a, b)  # note\n"),
    ("python", "if f(<CURSOR>) and g:\n    pass\n", "a):", "if f(a) and g:\n    pass\n"),
    ("python", "def f(<CURSOR>) -> int:\n    pass\n", "a: int, b: int):", "def f(a: int, b: int) -> int:\n    pass\n"),
    ("javascript", "foo(<CURSOR>).bar();\n", "a).baz();", "foo(a).bar();\n"),
    ("typescript", "function f(<CURSOR>): void {\n}\n", "a: string) {", "function f(a: string): void {\n}\n"),
    ("python", "if <CURSOR>foo:\n    pass\n", "not ", "if not foo:\n    pass\n"),
    (
        "python",
        'a = "x"\r\nb = "\\r"\r\ndef f(a):\r\n    <CURSOR>\r\n',
        "c = a\n    return c\n",
        'a = "x"\r\nb = "\\r"\r\ndef f(a):\r\n    c = a\r\n    return c\r\n',
    ),
    (
        "javascript",
        "function f(x) {\n  <CURSOR>\n}\n",
        "for (;;) {\n    if (a) {\n      if (b) {\n        c();\n      }\n    }\n  }\n",
        "function f(x) {\n  for (;;) {\n    if (a) {\n      if (b) {\n        c();\n      }\n    }\n  }\n}\n",
    ),
    ("javascript", "const color = <CURSOR>\n", '"#ffffff";\n', 'const color = "#ffffff";\n'),
    ("python", "x = <CURSOR>\n", "1000000\n", "x = 1000000\n"),
    ("python", "x = <CURSOR>\n", "[0, 0, 0, 0, 0, 0, 0]\n", "x = [0, 0, 0, 0, 0, 0, 0]\n"),
    ("python", "<CURSOR>\n", '"""Module doc.\n\nMore.\n"""\nimport os\n', '"""Module doc.\n\nMore.\n"""\n'),
    (
        "python",
        "class A:\n    x = 1\n\n    <CURSOR>\n",
        "@property\n    def f(self):\n        return 1\n\n    def g(self):\n",
        "class A:\n    x = 1\n\n    @property\n    def f(self):\n        return 1\n",
    ),
    (
        "cpp",
        "int a;\n<CURSOR>\n",
        "template <typename T>\nT max(T a, T b) {\n  return a;\n}\nint b;\n",
        "int a;\ntemplate <typename T>\nT max(T a, T b) {\n  return a;\n}\n",
    ),
    (
        "rust",
        "fn a() {}\n\n<CURSOR>\n",
        "#[derive(Debug)]\nstruct A {\n    b: u8,\n}\n\nfn c() {",
        "fn a() {}\n\n#[derive(Debug)]\nstruct A {\n    b: u8,\n}\n",
    ),
    (
        "javascript",
        "function f(xs) {\n  a();\n  <CURSOR>\n}\n",
        "const r = xs\n    .map((x) => x)\n    .filter(Boolean);\n  return r;\n",
        "function f(xs) {\n  a();\n  const r = xs\n    .map((x) => x)\n    .filter(Boolean);\n}\n",
    ),
    (
        "rust",
        "fn f() {\n    a();\n    <CURSOR>\n}\n",
        "let x = foo(a)\n        .bar()\n        .baz()?;\n    x\n",
        "fn f() {\n    a();\n    let x = foo(a)\n        .bar()\n        .baz()?;\n}\n",
    ),
    (
        "python",
        "def f():\n    a = 1\n    <CURSOR>\n",
        "try:\n        y()\n    except E:\n        z()\n    w()\n",
        "def f():\n    a = 1\n    try:\n        y()\n    except E:\n        z()\n",
    ),
    (
        "python",
        "def f():\n    a = 1\n    <CURSOR>\n",
        "if a:\n        y()\n    else:\n        z()\n    w()\n",
        "def f():\n    a = 1\n    if a:\n        y()\n    else:\n        z()\n",
    ),
    (
        "csharp",
        "class A {\n    void F() {\n        x();\n        <CURSOR>\n    }\n}\n",
        "if (a)\n        {\n            b();\n        }\n        else\n        {\n            c();\n        }\n        d();\n",
        "class A {\n    void F() {\n        x();\n        if (a)\n        {\n            b();\n        }\n        else\n        {\n            c();\n        }\n    }\n}\n",
    ),
    ("javascript", "import { <CURSOR>\n", 'a, b } from "c";\n', 'import { a, b } from "c";\n'),
    (
        "javascript",
        "function f(props) {\n  const { <CURSOR>\n}\n",
        "a, b } = props;\n",
        "function f(props) {\n  const { a, b } = props;\n}\n",
    ),
    (
        "cpp",
        "namespace a {\nint x;\n<CURSOR>\n}\n",
        "void f() {\n  b();\n}\n",
        "namespace a {\nint x;\nvoid f() {\n  b();\n}\n}\n",
    ),
    (
        "java",
        "class A {\n\tint x;\n\n\t<CURSOR>\n}\n",
        "/**\n\t * Does it.\n\t */\n\tvoid f() {\n\t\tx();\n\t}\n",
        "class A {\n\tint x;\n\n\t/**\n\t * Does it.\n\t */\n\tvoid f() {\n\t\tx();\n\t}\n}\n",
    ),
    ("go", "package a\n\nfunc main() {<CURSOR>}\n", "\n\tb()\n}", "package a\n\nfunc main() {\n\tb()\n}\n"),
    ("python", "x = <CURSOR>\nx = 1\n", "1\n", None),
    (
        "python",
        'parser.add_argument("--width", type=int, default=10, help="its size")\n<CURSOR>\nparser.add_argument("--depth", type=int, default=10, help="its size")\n',
        'parser.add_argument("--height", type=int, default=10, help="its size")\n',
        'parser.add_argument("--width", type=int, default=10, help="its size")\nparser.add_argument("--height", type=int, default=10, help="its size")\nparser.add_argument("--depth", type=int, default=10, help="its size")\n',
    ),
    ("python", "x = f(a<CURSOR>)\n", ")\n", None),
    (
        "javascript",
        "if (a) {\n  b();\n} <CURSOR>\n",
        "else {\n  c();\n}\nd();\n",
        "if (a) {\n  b();\n} else {\n  c();\n}\n",
    ),
    (
        "go",
        "package a\n\nfunc f() {\n\tb(<CURSOR>)\n}\n",
        "func() {\n\t\tc()\n\t})\n\td()\n",
        "package a\n\nfunc f() {\n\tb(func() {\n\t\tc()\n\t})\n}\n",
    ),
    ("python", "x = <CURSOR>\n", '{\n    "a": 1,\n    "b": 2,\n}\ny = 1\n', 'x = {\n    "a": 1,\n    "b": 2,\n}\n'),
    ("python", "def foo<CURSOR>\n", "(a, b):\n    return a\n\n\ndef g():\n", "def foo(a, b):\n    return a\n"),
    (
        "java",
        "class A {\n    public String toString() <CURSOR>\n}\n",
        '{\n        return "";\n    }\n\n    int x;\n',
        'class A {\n    public String toString() {\n        return "";\n    }\n}\n',
    ),
    (
        "javascript",
        "const f = async (a) => <CURSOR>\n",
        "{\n  b();\n};\nc();\n",
        "const f = async (a) => {\n  b();\n};\n",
    ),
    ("kotlin", "fun f(): Int <CURSOR>\n", "{\n    return 1\n}\n\nfun g()", "fun f(): Int {\n    return 1\n}\n"),
    (
        "python",
        "def f(items):\n    <CURSOR>\n",
        "total = 0\n    for item in items:\n        total += item\n    return total\n\n\ndef g():\n",
        "def f(items):\n    total = 0\n    for item in items:\n        total += item\n    return total\n",
    ),
    (
        "python",
        "def f():\n    x = foo(a,\n            <CURSOR>)\n",
        "b,\n            c)\n    return x",
        "def f():\n    x = foo(a,\n            b,\n            c)\n",
    ),
    (
        "ruby",
        "class A\n  def f\n    <CURSOR>\n  end\nend\n",
        "a = 1\n    a + 2\n  end\n",
        "class A\n  def f\n    a = 1\n    a + 2\n  end\nend\n",
    ),
    ("python", "@<CURSOR>\ndef f():\n    pass\n", "property\n", "@property\ndef f():\n    pass\n"),
    (
        "python",
        'class A:\n    """Doc."""\n    <CURSOR>\n',
        "def __init__(self):\n        self.x = 1\n\n    def g(self):\n",
        'class A:\n    """Doc."""\n    def __init__(self):\n        self.x = 1\n',
    ),
    (
        "python",
        "for x in xs:\n    if x:\n        <CURSOR>\n",
        "continue\n    y(x)\n",
        "for x in xs:\n    if x:\n        continue\n",
    ),
    (
        "javascript",
        "switch (a) {\n  case 1:\n    <CURSOR>\n}\n",
        "b();\n    break;\n  case 2:\n",
        "switch (a) {\n  case 1:\n    b();\n}\n",
    ),
]


@pytest.mark.parametrize(("language", "marked", "said", "after"), CASES)
async def test_what_is_accepted(language: str, marked: str, said: str, after: str | None) -> None:
    text, offset = at_cursor(marked)
    query = Query(Document("file:///a", text, language), offset, "a")
    suggestion = (await complete(query, DocumentState(), ScriptedEngine(said), Settings())).suggestion
    got = suggestion and text[: suggestion.span.start] + suggestion.text + text[suggestion.span.end :]
    assert got == after


METHODS = {
    "python": ("class A:\n", "    def m@(self, x):\n        return x + @\n\n", ""),
    "javascript": ("class A {\n", "  m@(x) {\n    return x + @;\n  }\n\n", "}\n"),
    "php": ("<?php\nclass A {\n", "    public function m@($x) {\n        return $x;\n    }\n\n", "}\n"),
    "shellscript": ("", "m@() {\n  local x=@\n  echo $x\n}\n\n", ""),
}


@pytest.mark.parametrize(
    ("language", "marked", "said", "after"),
    [
        ("python", "a = A()\n<CURSOR>\nprint(a.m1(2))\n", "print(a.m1(2))\n", None),
        ("javascript", "const a = foo(\n  <CURSOR>\n);\nb();\n", "1,\n);\nb();\n", "const a = foo(\n  1,\n);\nb();\n"),
        (
            "shellscript",
            "for f in *; do\n  <CURSOR>\ndone\n",
            'echo "$f"\ndone\n',
            'for f in *; do\n  echo "$f"\ndone\n',
        ),
        (
            "php",
            "function f($a) {\n    <CURSOR>\n}\n",
            "return $a;\n}\n\nfunction g",
            "function f($a) {\n    return $a;\n}\n",
        ),
    ],
)
async def test_so_it_is_below_many_methods(language: str, marked: str, said: str, after: str | None) -> None:
    """In a file of which only an excerpt is parsed."""
    head, method, tail = METHODS[language]
    above = head + "".join(method.replace("@", str(n)) for n in range(100)) + tail + "\n"
    await test_what_is_accepted(language, above + marked, said, after and above + after)


async def test_half_a_character_beside_others() -> None:
    text = "é = '\ud83d' + "
    query = Query(Document("file:///a", text, "python"), len(text), "a")
    assert await complete(query, DocumentState(), ScriptedEngine("x"), Settings()) is not None
