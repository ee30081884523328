"""Edits that any model output may become: safe ones, or a sentence. The engine is scripted; the syntax is real."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.chat import Action, Conversation, Project, Proposal, RequestRefused, Target, ask, propose
from codegemma_lsp.chat.actions import parse_command
from codegemma_lsp.chat.code import code_so_far, fitted, indent_unit
from codegemma_lsp.chat.diff import apply, minimal_edits
from codegemma_lsp.chat.documentation import prose
from codegemma_lsp.chat.write_tests import test_file as file_of_tests
from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.protocol import Finish, Priority
from codegemma_lsp.prompt import Text
from codegemma_lsp.settings import Settings
from codegemma_lsp.syntax import parse
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine

SETTINGS = Settings(chat_max_tokens=4096, chat_context_tokens=65_536)
PYTHON = """import os


class Shape:
    def area(self, r):
        x = r * r
        return 3 * x<CURSOR>

    def name(self):
        return "s"
"""
SCRIPT = "export const add = (a, b) => {\n\treturn a + b;<CURSOR>\n};\n"
PROSE = "Some words.\n<CURSOR>\nAnd more of them.\n"
SOURCES = {"python": PYTHON, "javascript": SCRIPT, "plaintext": PROSE}


def target(marked: str, language: str = "python", newline: str = "\n", instruction: str = "shorten") -> Target:
    text, offset = at_cursor(marked.replace("\n", newline))
    document = Document(f"file:///project/shop/a.{language}", text, language, 3)
    return Target(document, Span(offset, offset), f"shop/a.{language}", instruction)


def proposed(action: Action, answer: str, at: Target, finish: Finish = Finish.STOP_TOKEN) -> Proposal:
    project = Project(Path("/project"), lambda _: None)
    engine = ScriptedEngine(answer, finish=finish)
    return asyncio.run(propose(action, at, project, engine, SETTINGS, lambda _: None))


def check(answer: str, marked: str = PYTHON, *, action: Action = Action.EDIT, language: str = "python") -> str:
    """The text that accepting would leave, or why nothing is offered."""
    try:
        return proposed(action, answer, target(marked, language)).after
    except RequestRefused as error:
        return f"refused: {error}"


def check_sentence(message: str) -> None:
    assert re.search(r"[.)]$", message)
    assert "\n" not in message


OUTPUTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "return 3 * x",
                "        x = 1",
                "\tif x:",
                "```",
                "````python",
                "```python",
                "<|fim_middle|>",
                "<end_of_turn>",
                "<eos>",
                "}",
                "{",
                "(",
                '"""',
                "*/",
                "Sure! Here is the code:",
                "\x00",
                "\ufffd",
                "\U0001f9f9",
                "",
                " ",
                "\u2028",
                "\x0c",
                "\\",
            ]
        ),
        max_size=12,
    ).flatmap(lambda parts: st.sampled_from(["\n", "\r\n", "\r", "\n\n"]).map(lambda end: end.join(parts))),
    st.just("        x = r * r\n" * 300),
)


@settings(deadline=None, max_examples=300)
@given(
    OUTPUTS,
    st.sampled_from(sorted(SOURCES)),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([Action.EDIT, Action.FIX, Action.DOCUMENT, Action.TESTS]),
    st.sampled_from([Finish.STOP_TOKEN, Finish.LENGTH]),
)
def test_any_output_is_a_safe_edit_or_a_sentence(
    output: str, language: str, newline: str, action: Action, finish: Finish
) -> None:
    at = target(SOURCES[language], language, newline)
    try:
        proposal = proposed(action, output, at, finish)
    except RequestRefused as error:
        check_sentence(str(error))
        return
    before, after, region = proposal.document.text, proposal.after, proposal.region
    assert after != before
    assert after.startswith(before[: region.start])
    assert after.endswith(before[region.end :])
    assert after[region.start : len(after) - (len(before) - region.end)] == proposal.text
    assert not re.search(r"<\|fim|<eos>|<end_of_turn>|[\x00\ufffd]", after)
    assert "\r" not in after.replace("\r\n", "")
    assert newline == "\n" or action is Action.TESTS or "\n" not in after.replace("\r\n", "")
    if proposal.document.text:
        view = parse(after.replace("\r\n", "\n"), language)
        assert view.no_worse_than(parse(before.replace("\r\n", "\n"), language))


LINES = st.lists(st.text(alphabet="ab ({_\t", max_size=8), min_size=1, max_size=7)


@settings(deadline=None)
@given(st.text("x\n", max_size=4), LINES, st.sampled_from(["\n", "\r\n"]), st.text("y\n", max_size=3), LINES)
def test_minimal_edits_make_the_region_what_it_is_to_be(
    head: str, old: list[str], newline: str, tail: str, new: list[str]
) -> None:
    head, middle, tail = f"{head}{newline}", newline.join(old), f"{newline}{tail}"
    region = Span(len(head), len(head) + len(middle))
    edits = minimal_edits(head + middle + tail, region, "\n".join(new), newline)
    after = apply(head + middle + tail, edits)
    assert after.startswith(head)
    assert after.endswith(tail)
    found = re.split("\r\n|\n", after[len(head) : len(after) - len(tail)])
    assert [line if line.strip() else "" for line in found] == [line if line.strip() else "" for line in new]
    assert all(region.start <= edit.span.start <= edit.span.end <= region.end for edit in edits)


def test_a_rewritten_region_takes_the_files_depth() -> None:
    assert check("return 3.14 * x\n```\nI hope this helps!") == snapshot("""\
import os


class Shape:
    def area(self, r):
        x = r * r
        return 3.14 * x

    def name(self):
        return "s"
""")


def test_a_function_asked_for_by_selection_is_edited_by_words() -> None:
    text, _ = at_cursor(PYTHON)
    start = text.index("x = r")
    document = Document("file:///project/a.py", text, "python", 1)
    at = Target(document, Span(start, text.index("* x") + 3), "a.py", "rename x to square")
    proposal = proposed(Action.EDIT, "square = r * r\nreturn 3 * square\n```", at)
    assert [(text[e.span.start : e.span.end], e.text) for e in proposal.edits] == snapshot(
        [("x", "square"), ("x", "square")]
    )


def test_tabs_and_line_ends_are_the_files_own() -> None:
    at = target("if (a) {\n\tb();<CURSOR>\n}\n", "javascript", "\r\n")
    assert proposed(Action.EDIT, "if (c) {\n    d();\n}\n```", at).after == snapshot("""\
if (a) {\r
	if (c) {\r
		d();\r
	}\r
}\r
""")


@pytest.mark.parametrize(
    ("answer", "finish", "said"),
    [
        ("", Finish.STOP_TOKEN, "no code"),
        ("```", Finish.STOP_TOKEN, "no code"),
        ("return 3 * (x", Finish.STOP_TOKEN, "syntax"),
        ("return 3", Finish.LENGTH, "cut off"),
        ("return '<|fim_suffix|>'", Finish.STOP_TOKEN, "control characters"),
        ("return 3 * x", Finish.STOP_TOKEN, "no change"),
        ("return '\x00'", Finish.STOP_TOKEN, "control characters"),
    ],
)
def test_what_is_not_offered(answer: str, finish: Finish, said: str) -> None:
    with pytest.raises(RequestRefused, match=said):
        proposed(Action.EDIT, answer, target(PYTHON), finish)


def test_documentation_goes_where_the_language_has_it() -> None:
    said = '"""Computes the area.\n\nArgs:\n    r: the radius\n"""'
    assert check(said, action=Action.DOCUMENT) == snapshot('''\
import os


class Shape:
    def area(self, r):
        """Computes the area.

        Args:
            r: the radius
        """
        x = r * r
        return 3 * x

    def name(self):
        return "s"
''')
    assert check("Adds two */ numbers.", SCRIPT, action=Action.DOCUMENT, language="javascript") == snapshot("""\
/**
 * Adds two * / numbers.
 */
export const add = (a, b) => {
	return a + b;
};
""")
    go = "package a\n\n// Old words.\nfunc Add(a int) int {\n\treturn a<CURSOR>\n}\n"
    assert check("Add adds.", go, action=Action.DOCUMENT, language="go") == snapshot("""\
package a

// Add adds.
func Add(a int) int {
	return a
}
""")
    one_line = "class A:\n    def f(self): return 1<CURSOR>\n"
    assert check("Gives one.", one_line, action=Action.DOCUMENT) == snapshot('''\
class A:
    def f(self):
        """Gives one."""
        return 1
''')
    again = 'def f():\n    """Old."""\n    return 1<CURSOR>\n'
    assert check("New, with a \\d pattern.", again, action=Action.DOCUMENT) == snapshot('''\
def f():
    r"""New, with a \\d pattern."""
    return 1
''')


def test_prose_is_what_is_left_without_code_and_markers() -> None:
    assert prose("/**\n * Adds.\n */\n```js\nlet a;\n```\n// and more<eos>") == snapshot("""\
Adds.

and more\
""")


def test_tests_go_where_the_layout_has_them(tmp_path: Path) -> None:
    for name in ("tests/unit/test_known.py", "web/__tests__/x.test.ts", "shop/price.py", "src/main/java/a/B.java"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    def where(path: str, language: str) -> str:
        return file_of_tests(tmp_path / path, tmp_path, language).relative_to(tmp_path).as_posix()

    assert [
        where("shop/price.py", "python"),
        where("shop/known.py", "python"),
        where("tests/test_other.py", "python"),
        where("web/a.ts", "typescript"),
        where("lib/a.js", "javascript"),
        where("cmd/a.go", "go"),
        where("src/main/java/a/B.java", "java"),
        where("src/lib.rs", "rust"),
    ] == snapshot(
        [
            "tests/test_price.py",
            "tests/unit/test_known.py",
            "tests/test_other.py",
            "web/__tests__/a.test.ts",
            "lib/a.test.js",
            "cmd/a_test.go",
            "src/test/java/a/BTest.java",
            "src/lib.rs",
        ]
    )


def test_new_tests_follow_what_is_there() -> None:
    existing = Document("file:///project/shop/test_a.py", "def test_old():\n    assert True\n", "python", 0)
    project = Project(Path("/project"), lambda _: existing)
    engine = ScriptedEngine("def test_new():\n    assert 1\n```")
    proposal = asyncio.run(propose(Action.TESTS, target(PYTHON), project, engine, SETTINGS, lambda _: None))
    assert proposal.after == "def test_old():\n    assert True\n\n\ndef test_new():\n    assert 1\n"
    assert not proposal.creates


def test_a_document_that_changed_is_refused_and_the_model_stopped() -> None:
    at = target(PYTHON)
    engine = ScriptedEngine("return 1\n" * 100)
    stale = Target(at.document, at.selection, at.path, at.instruction, still=lambda: False)
    with pytest.raises(RequestRefused, match="changed") as caught:
        asyncio.run(propose(Action.EDIT, stale, Project(Path("/"), lambda _: None), engine, SETTINGS, lambda _: None))
    assert caught.value.stale


async def test_what_is_said_is_the_code_as_it_grows() -> None:
    said: list[str] = []
    engine = ScriptedEngine("return 1\n```\nBye.")
    await propose(Action.EDIT, target(PYTHON), Project(Path("/"), lambda _: None), engine, SETTINGS, said.append)
    assert "".join(said) == "return 1"
    (request,) = engine.requests
    assert request.priority is Priority.CHAT
    assert isinstance(last := request.prompt.segments[-1], Text)
    assert last.text == "```python\n"


async def test_a_conversation_keeps_what_was_said() -> None:
    conversation = Conversation()
    await ask(conversation, "Why?", [], ScriptedEngine("Because."), SETTINGS, lambda _: None)
    await ask(conversation, "And?", [], ScriptedEngine(""), SETTINGS, lambda _: None)
    assert [message.text for message in conversation.messages] == ["Why?", "Because."]


@pytest.mark.parametrize(
    ("text", "action", "rest"),
    [
        ("/fix the loop", Action.FIX, "the loop"),
        ("  /explain", Action.EXPLAIN, ""),
        ("/EDIT\nmake it so", Action.EDIT, "make it so"),
        ("what is /etc/passwd?", None, "what is /etc/passwd?"),
        ("/etc/passwd is what?", None, "/etc/passwd is what?"),
    ],
)
def test_commands_in_a_message(text: str, action: Action | None, rest: str) -> None:
    assert parse_command(text) == (action, rest)


@pytest.mark.parametrize(
    ("answer", "code", "closed"),
    [
        ("x = 1\n```", "x = 1", True),
        ("x = 1\n```\nsure", "x = 1", True),
        ("x = 1\n``", "x = 1", False),
        ("s = '```'\n", "s = '```'", False),
        ("```\n", "", True),
        ("a\r\nb\r```", "a\nb", True),
    ],
)
def test_code_ends_at_its_fence(answer: str, code: str, closed: bool) -> None:
    assert code_so_far(answer, "```") == (code, closed)


def test_indentation_is_the_files_own() -> None:
    assert fitted("def f():\n    if a:\n        b()", "\tdef f():\n\t\treturn", "\t") == snapshot("""\
	def f():
		if a:
			b()\
""")
    assert fitted("if a:\n  b()", "    x", "    ") == snapshot("""\
    if a:
        b()\
""")
    assert indent_unit("a:\n  b:\n      c") == "  "
    assert indent_unit("a\n\tb\n\t\tc") == "\t"


def test_a_comment_never_comes_between_return_and_its_value() -> None:
    nested = "function mk() {\n  return async () => {\n    x();<CURSOR>\n  };\n}\n"
    assert check("Makes it.", nested, action=Action.DOCUMENT, language="javascript") == snapshot("""\
function mk() {
  /**
   * Makes it.
   */
  return async () => {
    x();
  };
}
""")


def test_an_empty_line_is_filled_at_its_depth() -> None:
    assert check("    b = 2\n```", "def f():\n    a = 1\n<CURSOR>\n    return a\n") == snapshot("""\
def f():
    a = 1
    b = 2
    return a
""")


def test_strings_over_lines_keep_their_place() -> None:
    marked = (
        'class A:\n    def f(self):\n        q = """\nselect\n"""\n        return q<CURSOR>\n\n'
        "    def g(self):\n        pass\n"
    )
    text, _ = at_cursor(marked)
    document = Document("file:///a.py", text, "python", 1)
    whole = Target(document, Span(text.index("def f"), text.index("return q") + 8), "a.py", "shorten")
    kept = 'def f(self):\n    q = """\nselect\n"""\n    return q + ""'
    assert proposed(Action.EDIT, kept, whole).after == snapshot('''\
class A:
    def f(self):
        q = """
select
"""
        return q + ""

    def g(self):
        pass
''')
    assert proposed(Action.EDIT, 'def f(self):\n    return "x"', whole).after == snapshot("""\
class A:
    def f(self):
        return "x"

    def g(self):
        pass
""")


@pytest.mark.parametrize("said", ["<e<eos>os>", "a\u2028b", "\u202e", "<|fi<|x|>m_middle|>"])
def test_documentation_holds_no_control_text(said: str) -> None:
    after = check(f"Does {said} it.", action=Action.DOCUMENT)
    assert "Does" in after
    assert not re.search(r"<eos>|<\|fim_middle|[\u2028\u202e]", after)


def test_the_same_documentation_again_is_no_change() -> None:
    assert "no change" in check("Old.", 'def f():\n    """Old."""\n    return 1<CURSOR>\n', action=Action.DOCUMENT)


def test_long_repetitive_lines_take_no_time() -> None:
    old, new = ",".join(["x"] * 4000), ",".join(["y", "x"] * 2000)
    (edit,) = minimal_edits(old, Span(0, len(old)), new, "\n")
    assert apply(old, (edit,)) == new
