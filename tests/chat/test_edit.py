"""A region is rewritten by the model: what is offered, how it fits into the file, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import Action, Project, RequestRefused, Target, propose
from codegemma_lsp.engines.protocol import Finish, Priority
from codegemma_lsp.prompt import Text
from tests.chat.story import chatting, javascript, python
from tests.scripted import ScriptedEngine

METHOD = """\
class Shape:
    def area(self, r):
        x = r * r
        return 3 * x<CURSOR>

    def name(self):
        return "s"
"""


def test_a_rewritten_line_takes_the_files_depth() -> None:
    assert python(METHOD).edited_by("return 3.14 * x\n```\nI hope this helps!") == snapshot("""\
class Shape:
    def area(self, r):
        x = r * r
        return 3⟦.14⟧ * x

    def name(self):
        return "s"
""")


def test_selected_lines_are_edited_by_words() -> None:
    shown = python("""\
def area(r):
    <SELECTED>x = r * r
    return 3 * x</SELECTED>
""").edited_by("square = r * r\nreturn 3 * square\n```")
    assert shown == snapshot("""\
def area(r):
    ⟦square⟧ = r * r
    return 3 * ⟦square⟧
""")


def test_tabs_and_line_ends_are_the_files_own() -> None:
    story = javascript("if (a) {\n\tb();<CURSOR>\n}\n", newline="\r\n")
    assert story.edited_by("if (c) {\n    d();\n}\n```") == snapshot("""\
if (a) {\r
⟦	if (c) {\r
		d();\r
	}⟧\r
}\r
""")


def test_an_empty_line_is_filled_at_its_depth() -> None:
    shown = python("""\
def f():
    a = 1
<CURSOR>
    return a
""").edited_by("    b = 2\n```")
    assert shown == snapshot("""\
def f():
    a = 1
⟦    b = 2⟧
    return a
""")


STRING = '''\
class A:
    <SELECTED>def f(self):
        q = """
select
"""
        return q</SELECTED>

    def g(self):
        pass
'''


def test_a_string_over_several_lines_that_stays_keeps_its_place() -> None:
    shown = python(STRING).edited_by('''\
def f(self):
    q = """
select
"""
    return q + ""\
''')
    assert shown == snapshot('''\
class A:
    def f(self):
        q = """
select
"""
        return q⟦ + ""⟧

    def g(self):
        pass
''')


def test_a_string_over_several_lines_may_go() -> None:
    assert python(STRING).edited_by('def f(self):\n    return "x"') == snapshot("""\
class A:
    def f(self):
⟦        return "x"⟧

    def g(self):
        pass
""")


UNUSABLE = (
    "refused: The model's answer holds control characters or tokens; ask again, or say more exactly what you want."
)


@pytest.mark.parametrize(
    ("answer", "finish", "refused"),
    [
        pytest.param(
            "",
            Finish.STOP_TOKEN,
            snapshot("refused: The model answered with no code; ask again, or say more exactly what you want."),
            id="nothing",
        ),
        pytest.param(
            "```",
            Finish.STOP_TOKEN,
            snapshot("refused: The model answered with no code; ask again, or say more exactly what you want."),
            id="an empty block",
        ),
        pytest.param(
            "return 3 * (x",
            Finish.STOP_TOKEN,
            snapshot("refused: What the model wrote would break the file's syntax, so it is not offered; ask again."),
            id="broken syntax",
        ),
        pytest.param(
            "return 3",
            Finish.LENGTH,
            snapshot("refused: The answer was cut off before its end; select less, or raise chatMaxTokens."),
            id="cut off",
        ),
        pytest.param(
            "return '<|fim_suffix|>'",
            Finish.STOP_TOKEN,
            UNUSABLE,
            id="a special token",
        ),
        pytest.param(
            "return '\x00'",
            Finish.STOP_TOKEN,
            UNUSABLE,
            id="a control character",
        ),
        pytest.param(
            "return 3 * x",
            Finish.STOP_TOKEN,
            snapshot("refused: The model suggests no change."),
            id="what stands there",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(answer: str, finish: Finish, refused: str) -> None:
    assert python(METHOD).edited_by(answer, finish) == refused


def test_a_document_that_changed_is_refused_and_the_model_stopped() -> None:
    target = python(METHOD).target(still=lambda: False)
    engine = ScriptedEngine("return 1\n" * 100)
    with pytest.raises(RequestRefused, match="changed") as caught:
        asyncio.run(propose(chatting(engine), Action.EDIT, target, Project(Path("/"), lambda _: None)))
    assert caught.value.stale


async def test_what_is_said_is_the_code_as_it_grows() -> None:
    said: list[str] = []
    engine = ScriptedEngine("return 1\n```\nBye.")
    project = Project(Path("/"), lambda _: None)
    await propose(chatting(engine, said.append), Action.EDIT, python(METHOD).target(), project)
    assert "".join(said) == "return 1"


async def test_an_edit_is_asked_for_as_a_block_of_code_at_the_priority_of_chat() -> None:
    engine = ScriptedEngine("return 1\n```")
    project = Project(Path("/"), lambda _: None)
    await propose(chatting(engine), Action.EDIT, python(METHOD).target(), project)
    (request,) = engine.requests
    assert request.priority is Priority.CHAT
    assert isinstance(last := request.prompt.segments[-1], Text)
    assert last.text == "```python\n"


TWO_METHODS = """\
class Shape:
    def area(self):
        return self.a
<CURSOR>
    def name(self):
        return "s"
"""


@pytest.mark.parametrize(
    ("marked", "answer", "line"),
    [
        pytest.param(TWO_METHODS, "def b(self):\n    return 1", "    def b(self):", id="a-method-between-methods"),
        pytest.param(TWO_METHODS, "x = 1", "        x = 1", id="a-statement-between-methods"),
        pytest.param(
            "def a():\n    return 1\n<CURSOR>\ndef c():\n    return 3\n",
            "def b():\n    return 2",
            "def b():",
            id="a-function-between-functions",
        ),
        pytest.param(
            "class A:\n    def a(self):\n        return 1\n<CURSOR>",
            "def b(self):\n    return 2",
            "    def b(self):",
            id="a-method-at-the-end",
        ),
        pytest.param(
            "class A:\n    def a(self):\n        return 1\n<CURSOR>",
            "def b():\n    return 2",
            "def b():",
            id="a-function-at-the-end",
        ),
        pytest.param(
            "def a():\n    return 1\n<CURSOR>\n@cached\ndef c():\n    return 3\n",
            "@cached\ndef b():\n    return 2",
            "@cached\ndef b():",
            id="a-decorated-function",
        ),
    ],
)
def test_new_code_on_an_empty_line_takes_the_depth_of_what_it_is(marked: str, answer: str, line: str) -> None:
    assert f"\n⟦{line}" in python(marked).edited_by(answer + "\n```")


def test_a_method_before_the_end_of_a_class_stays_in_it() -> None:
    shown = javascript("class A {\n  a() {\n    return 1;\n  }\n<CURSOR>\n}\n").edited_by("b() {\n  return 2;\n}\n```")
    assert shown == snapshot("""\
class A {
  a() {
    return 1;
  }
⟦  b() {
    return 2;
  }⟧
}
""")


async def question_of(action: Action, target: Target) -> str:
    engine = ScriptedEngine("return 1\n```")
    await propose(chatting(engine), action, target, Project(Path("/"), lambda _: None))
    return "".join(one.text for one in engine.requests[0].prompt.segments if isinstance(one, Text))


async def test_an_instruction_stands_between_the_code_and_the_form_of_the_answer() -> None:
    assert await question_of(Action.EDIT, python(METHOD).target()) == snapshot("""\
This code is a part of `shop/a.python`:

```python
return 3 * x
```

Rewrite this code: shorten

Answer with the whole rewritten code in one code block, and nothing else.```python
""")


async def test_a_fix_at_a_cursor_shows_the_definition_around_it() -> None:
    assert await question_of(Action.FIX, python(METHOD).target()) == snapshot("""\
Fix what is wrong with this code, and change nothing else. shorten

The code is in this part of `shop/a.python`:

```python
def area(self, r):
    x = r * r
    return 3 * x
```

Rewrite only these lines of it:

```python
return 3 * x
```

Answer with the whole rewritten code in one code block, and nothing else.```python
""")
