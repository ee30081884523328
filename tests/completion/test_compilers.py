"""Suggestions in files of other languages, by their own parsers where these are installed: ``python -m scripts.syntax``
counts many more."""

from __future__ import annotations

import sysconfig
from itertools import islice
from pathlib import Path

import pytest

from scripts.syntax.breakage import count
from scripts.syntax.cases import cases, sources
from scripts.syntax.parsers import LANGUAGES, Missing, Parser, parser
from tests.completion.story import Story
from tests.scripted import ScriptedEngine

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))
FOLDERS = {
    "javascript": [PACKAGES / "playwright", ROOT / "editors" / "vscode" / "node_modules" / "mocha"],
    "typescript": [ROOT / "editors" / "vscode" / "src"],
    "c": [PACKAGES / "greenlet", PACKAGES / "numpy"],
    "cpp": [PACKAGES / "greenlet"],
}
SUGGESTIONS, PLACES = 200, 2000
SHARE = 0.06
"""The share of broken files that is allowed, of small files with text from elsewhere, which no model would say."""


def installed(language: str) -> Parser:
    try:
        return parser(language)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "python"])
async def test_suggestions_keep_files_valid(language: str) -> None:
    parse = installed(language)
    files = sources(language, [*FOLDERS.get(language, []), ROOT / "tests" / "data"])
    places = islice(cases(files, seed=11), PLACES)
    result = await count(language, places, parse, lambda case: ScriptedEngine(case.said), SUGGESTIONS)
    assert result.suggestions > SUGGESTIONS // 4
    assert len(result.breakages) <= SHARE * result.suggestions, result.breakages


@pytest.mark.parametrize(
    ("language", "marked", "said", "is_fine"),
    [
        pytest.param("go", "package a\n\n<CURSOR>\n", "f(1)", False, id="go: statement at the top level"),
        pytest.param("go", "package a\n\n<CURSOR>\n", "var b = 1", True, id="go: variable at the top level"),
        pytest.param("go", "package a\n\nvar b = 1\n<CURSOR>\n", 'import "os"', False, id="go: import too late"),
        pytest.param("go", "package a\n\nvar b = c{\n\t<CURSOR>\n}\n", "1", False, id="go: element without comma"),
        pytest.param("go", "package a\n\nvar b = c{\n\t<CURSOR>\n}\n", "1,", True, id="go: element with comma"),
        pytest.param("rust", "mod a;\n<CURSOR>\n", "let b = 1;", False, id="rust: statement at the top level"),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n    g();\n}\n", "a!(b)", False, id="rust: macro, no semicolon"),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n    g();\n}\n", "a!(b);", True, id="rust: macro with semicolon"),
        pytest.param("java", "import a.b;\n<CURSOR>\n", "package c;", False, id="java: package too late"),
        pytest.param("java", "class A {}\n<CURSOR>\n", "import a.b;", False, id="java: import too late"),
        pytest.param("java", "class A {\n  void f() {\n    <CURSOR>\n  }\n}\n", "a.b;", False, id="java: no statement"),
        pytest.param("java", "class A {\n  <CURSOR>\n}\n", "var a = 1;", False, id="java: field without a type"),
        pytest.param(
            "java", "class A {\n  void f() {\n    <CURSOR>\n  }\n}\n", "var a = 1;", True, id="java: variable"
        ),
        pytest.param("java", "package a;\n<CURSOR>\nclass A {}\n", "import b;", False, id="java: import of no package"),
        pytest.param("java", "package a;\n<CURSOR>\nclass A {}\n", "import b.*;", True, id="java: import of a package"),
        pytest.param("java", "class A {\n  <CURSOR>\n}\n", "char a = 'bc';", False, id="java: long character"),
        pytest.param("java", "class A {\n  <CURSOR>\n}\n", "char a = '\\u0041';", True, id="java: escaped character"),
        pytest.param("java", "class A {\n  <CURSOR>\n}\n", "char a = '\\'';", True, id="java: escaped quote"),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n}\n", "let a = b.split('');", False, id="rust: no character"),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n}\n", "let a = b.split('.');", True, id="rust: character"),
        pytest.param(
            "java", "class A {\n  void f() {\n    <CURSOR>\n  }\n}\n", "default(b);", False, id="java: reserved word"
        ),
        pytest.param(
            "java", "class A {\n  void f() {\n    <CURSOR>\n  }\n}\n", "defaults(b);", True, id="java: method"
        ),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n}\n", "a = mod;", False, id="rust: keyword"),
        pytest.param("rust", "fn f() {\n    <CURSOR>\n}\n", "a!(b, if c { d });", True, id="rust: keyword in a macro"),
        pytest.param("c", "int a;\n<CURSOR>\n", "f(a);", False, id="c: statement at the top level"),
        pytest.param("c", "int a;\n<CURSOR>\n", "#endif", False, id="c: end of no condition"),
        pytest.param("c", "int a;\n<CURSOR>\n", "#pragma once", True, id="c: directive"),
        pytest.param("cpp", "int f() {\n  <CURSOR>\n}\n", "int g() { return 1; }", False, id="cpp: nested function"),
        pytest.param("javascript", "f();\n<CURSOR>\n", "const a;", False, id="javascript: constant without value"),
        pytest.param("javascript", "f();\n<CURSOR>\n", "{ a: 1, b: 2 };", False, id="javascript: object"),
        pytest.param(
            "javascript", "f();\n<CURSOR>\n", "for (const a of b) g(a);", True, id="javascript: constant in a loop"
        ),
        pytest.param("javascript", "if (a)\n  <CURSOR>\nf();\n", "const b = 1;", False, id="javascript: body constant"),
        pytest.param("javascript", "if (a)\n  <CURSOR>\nf();\n", "b = 1;", True, id="javascript: body"),
        pytest.param("typescript", "f();\n<CURSOR>\n", "for (const a of b, c) g(a);", False, id="typescript: sequence"),
        pytest.param("typescript", "f();\n<CURSOR>\n", "declare const a: number;", True, id="typescript: declaration"),
    ],
)
async def test_what_a_compiler_refuses_is_not_offered(language: str, marked: str, said: str, is_fine: bool) -> None:
    """The grammars of tree-sitter accept all of these."""
    shown = await Story(marked, language).completed_by(said)
    expected = marked.replace("<CURSOR>", f"⟦{said}⟧")
    assert (shown == expected) is is_fine, shown
