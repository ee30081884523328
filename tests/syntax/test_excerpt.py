"""What is parsed of a long file: what is near the cursor, below the headers of the definitions around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.syntax import cursor_scope, excerpt, find_language, parse
from tests.marks import at_cursor


def repeated(source: str) -> str:
    """The source with what stands between its lines of ``…`` 200 times, numbered where it has an ``@``."""
    head, member, tail = source.split("…\n")
    return head + "".join(member.replace("@", str(number)) for number in range(200)) + tail


LONG = repeated("""\
import os


class A(B):
…
    def m@(self):
        x = @
        return x

…


def after():
    pass
""")
BRACES = repeated("""\
class A {
…
  m@(x) {
    return x;
  }

…
}
""")


def headers(source: str, after: str, language: str) -> str:
    """The enclosing headers that are found where ``after`` ends, one below the other, each of which is the source's."""
    offset = source.index(after) + len(after)
    part = excerpt(source, offset, find_language(language))
    assert part.text[: part.offset].endswith(after)
    assert part.text[part.offset :][:20] == source[offset:][:20]
    syntax = parse(part.text, language)
    assert syntax.error_count == 0
    spans = cursor_scope(syntax, part.offset).headers
    for span in spans:
        original = part.original(span.start)
        assert source[original : original + 5] == part.text[span.start : span.start + 5]
    return "".join(part.text[span.start : span.end] + "\n" for span in spans)


def test_a_short_file_is_its_own_excerpt() -> None:
    text, offset = at_cursor("def f():\n    <CURSOR>\n")
    part = excerpt(text, offset, find_language("python"))
    assert (part.text, part.offset, part.start) == (text, offset, 0)


def test_a_class_far_above_is_found() -> None:
    assert headers(LONG, "x = 150", "python") == snapshot("""\
class A(B):
def m150(self):
""")


def test_a_class_in_braces_far_above_is_found() -> None:
    assert headers(BRACES, "m150(x) {\n    return ", "javascript") == snapshot("""\
class A {
m150(x) {
""")


def test_headers_with_a_kotlin_constructor_are_found_whole() -> None:
    source = repeated("""\
class A(
    val x: Int,
) : B {
…
    fun m@(): Int {
        return @
    }

…
}
""")
    assert headers(source, "return 150", "kotlin") == snapshot("""\
class A(
    val x: Int,
) : B {
fun m150(): Int {
""")


def test_headers_with_python_bases_are_found_whole() -> None:
    source = repeated("""\
class A(
    B,
):
…
    def m@(self):
        return @

…
""")
    assert headers(source, "return 150", "python") == snapshot("""\
class A(
    B,
):
def m150(self):
""")


def test_headers_with_braces_on_lines_of_their_own_are_found_whole() -> None:
    source = repeated("""\
namespace N
{
    class Foo
    {
…
        int M@()
        {
            return @;
        }

…
    }
}
""")
    assert headers(source, "return 150", "csharp") == snapshot("""\
namespace N
{
class Foo
    {
int M150()
        {
""")


def test_headers_with_java_interfaces_are_found_whole() -> None:
    source = repeated("""\
public class A
    extends B
    implements C {
…
  int m@() {
    return @;
  }

…
}
""")
    assert headers(source, "return 150", "java") == snapshot("""\
public class A
    extends B
    implements C {
int m150() {
""")


def test_headers_with_callbacks_are_found_whole() -> None:
    source = repeated("""\
describe("x", () => {
…
  it("does @", () => {
    expect(@);
  });

…
});
""")
    assert headers(source, "expect(150", "javascript") == snapshot("""\
() => {
() => {
""")


@pytest.mark.parametrize(("source", "name"), [(LONG, "python"), (BRACES, "javascript")], ids=["python", "javascript"])
def test_it_is_short_and_sound_wherever_the_cursor_is(source: str, name: str) -> None:
    assert source.count("\n") > 800
    for offset in range(0, len(source), 499):
        part = excerpt(source, offset, find_language(name))
        assert part.text.count("\n") < 320
        assert parse(part.text, name).error_count == 0


def test_a_new_line_above_the_cursor_does_not_move_it() -> None:
    at = LONG.index("        x = 153\n")
    language = find_language("python")
    before = excerpt(LONG, at, language)
    after = excerpt(LONG[:at] + "        y = 1\n" + LONG[at:], at + 14, language, before)
    assert after.start == before.start
    assert after.origins == before.origins


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["def f():", "    x", "\t{", "}", "", "  ", "#", "@a", "'''"]), max_size=500), st.data()
)
def test_offsets_are_the_sources_whatever_the_text(lines: list[str], data: st.DataObject) -> None:
    source = "\n".join(lines)
    offset = data.draw(st.integers(0, len(source)))
    for name in ("python", "javascript"):
        part = excerpt(source, offset, find_language(name))
        assert part.start + part.offset - part.lead == offset
        assert part.text[part.lead : part.offset] == source[part.start : offset]
        assert part.original(part.offset) == offset
