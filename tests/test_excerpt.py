"""What is parsed of a long file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegemma_lsp.syntax import cursor_scope, excerpt, find_language, parse
from tests.marks import at_cursor

METHOD = "    def m{0}(self):\n        x = {0}\n        return x\n\n"
LONG = "import os\n\n\nclass A(B):\n" + "".join(METHOD.format(n) for n in range(400)) + "\n\ndef after():\n    pass\n"
BRACES = "class A {\n" + "".join(f"  m{n}(x) {{\n    return x;\n  }}\n\n" for n in range(300)) + "}\n"


def headers(source: str, offset: int, name: str) -> list[str]:
    part = excerpt(source, offset, find_language(name))
    assert part.text[part.offset :][:20] == source[offset:][:20]
    scope = cursor_scope(parse(part.text, name), part.offset)
    for span in scope.headers:
        original = part.original(span.start)
        assert source[original : original + 5] == part.text[span.start : span.start + 5]
    return [part.text[span.start : span.end] for span in scope.headers]


def test_a_short_file_is_its_own_excerpt() -> None:
    text, offset = at_cursor("def f():\n    <CURSOR>\n")
    part = excerpt(text, offset, find_language("python"))
    assert (part.text, part.offset, part.start) == (text, offset, 0)


def test_enclosing_headers_far_above_are_found() -> None:
    at = LONG.index("x = 300") + 4
    assert headers(LONG, at, "python") == ["class A(B):", "def m300(self):"]
    at = BRACES.index("m200(x)") + len("m200(x) {\n    return ")
    assert headers(BRACES, at, "javascript") == ["class A {", "m200(x) {"]


def repeated(head: str, member: str, tail: str) -> str:
    return head + "".join(member.replace("@", str(n)) for n in range(200)) + tail


@pytest.mark.parametrize(
    ("name", "source", "at", "expected"),
    [
        (
            "kotlin",
            repeated("class A(\n    val x: Int,\n) : B {\n", "    fun m@(): Int {\n        return @\n    }\n\n", "}\n"),
            "return 150",
            ["class A(\n    val x: Int,\n) : B {", "fun m150(): Int {"],
        ),
        (
            "python",
            repeated("class A(\n    B,\n):\n", "    def m@(self):\n        return @\n\n", ""),
            "return 150",
            ["class A(\n    B,\n):", "def m150(self):"],
        ),
        (
            "csharp",
            repeated(
                "namespace N\n{\n    class Foo\n    {\n",
                "        int M@()\n        {\n            return @;\n        }\n\n",
                "    }\n}\n",
            ),
            "return 150",
            ["namespace N\n{", "class Foo\n    {", "int M150()\n        {"],
        ),
        (
            "java",
            repeated(
                "public class A\n    extends B\n    implements C {\n", "  int m@() {\n    return @;\n  }\n\n", "}\n"
            ),
            "return 150",
            ["public class A\n    extends B\n    implements C {", "int m150() {"],
        ),
        (
            "javascript",
            repeated('describe("x", () => {\n', '  it("does @", () => {\n    expect(@);\n  });\n\n', "});\n"),
            "expect(150",
            ["() => {", "() => {"],
        ),
    ],
)
def test_headers_over_several_lines(name: str, source: str, at: str, expected: list[str]) -> None:
    offset = source.index(at) + 3
    assert headers(source, offset, name) == expected
    assert parse(excerpt(source, offset, find_language(name)).text, name).error_count == 0


def test_it_is_short_and_sound() -> None:
    for source, name in ((LONG, "python"), (BRACES, "javascript")):
        for offset in range(0, len(source), 997):
            part = excerpt(source, offset, find_language(name))
            assert part.text.count("\n") < 320
            assert parse(part.text, name).error_count == 0


def test_a_new_line_does_not_move_it() -> None:
    at = LONG.index("        x = 303\n")
    language = find_language("python")
    before = excerpt(LONG, at, language)
    after = excerpt(LONG[:at] + "        y = 1\n" + LONG[at:], at + 14, language, before)
    assert after.start == before.start
    assert after.origins == before.origins


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["def f():", "    x", "\t{", "}", "", "  ", "#", "@a", "'''"]), max_size=500), st.data()
)
def test_any_text_and_cursor(lines: list[str], data: st.DataObject) -> None:
    source = "\n".join(lines)
    offset = data.draw(st.integers(0, len(source)))
    for name in ("python", "javascript"):
        part = excerpt(source, offset, find_language(name))
        assert part.start + part.offset - part.lead == offset
        assert part.text[part.lead : part.offset] == source[part.start : offset]
        assert part.original(part.offset) == offset
