"""The model is stopped as soon as it has said enough, or has begun to repeat itself."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.completion.stopping import loops, repeats
from codegemma_lsp.document import Document
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine


async def stopped_at(marked: str, said: str, **settings: object) -> str:
    """What the model had said when it was stopped. It says three characters at a time."""
    text, offset = at_cursor(marked)
    query = Query(document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a")
    outcome = await complete(query, DocumentState(), ScriptedEngine(said), Settings.model_validate(settings))
    assert said.startswith(outcome.said)
    return outcome.said


async def test_a_line_ends_with_its_line_end() -> None:
    assert await stopped_at("x = f(<CURSOR>, b)\n", "a12\nb = 3\nc = 4\n") == "a12\nb "


async def test_the_rest_of_a_statement_ends_with_it() -> None:
    assert await stopped_at("x = <CURSOR>\n", "123\ny = 2\nz = 3\n") == "123\ny "


async def test_a_block_ends_where_what_follows_it_begins() -> None:
    said = "x = 1\n    return x\n\n\ndef g():\n    return 2\n"
    assert await stopped_at("def f():\n    <CURSOR>\n", said) == "x = 1\n    return x\n\n\ndef g("


async def test_a_setting_lets_it_go_on() -> None:
    assert await stopped_at("x = <CURSOR>\n", "123\ny = 2\n", earlyStop=False) == "123\ny = 2\n"


async def test_a_header_whose_statements_stand_below_ends_it() -> None:
    said = "    for number in numbers:\n        print(number)\n        print(number)\n"
    stopped = await stopped_at("def f(numbers):\n    r = 0\n<CURSOR>\n        r += number\n", said)
    assert stopped == "    for number in numbers:\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a()\na()\na()\n", True, id="three equal lines"),
        pytest.param("a()\na()\n", False, id="two"),
        pytest.param("a()\na()\na()", False, id="the third has not ended"),
        pytest.param("a()\na()  \na()\t\n", True, id="blanks at their ends"),
        pytest.param("a()\n  a()\n    a()\n", False, id="another depth each"),
        pytest.param("b()\na()\na()\na()\n", True, id="below another"),
        pytest.param("a()\na()\na()\nb()\n", False, id="above another"),
        pytest.param("a()\n\na()\n\na()\n", True, id="blank lines between them"),
        pytest.param("}\n}\n}\n", False, id="closing brackets"),
    ],
)
def test_equal_lines_repeat(text: str, expected: bool) -> None:
    assert repeats(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("abc" * 14, True, id="a unit of three, 42 characters"),
        pytest.param("abc" * 13, False, id="39 characters"),
        pytest.param("x = 1\n" + "abc" * 14, True, id="in the last line"),
        pytest.param("abc" * 14 + "\nx = 1", False, id="in a line above"),
        pytest.param("a" * 40, True, id="one letter"),
        pytest.param("-" * 80, False, id="a ruler"),
        pytest.param(" " * 80, False, id="indentation"),
        pytest.param("0, " * 20, True, id="zeros"),
        pytest.param("x = [" + "0, " * 8, False, id="a few zeros"),
        pytest.param('"' + "ab" * 30 + '"', True, id="within quotes"),
    ],
)
def test_one_unit_over_and_over_loops(text: str, expected: bool) -> None:
    assert loops(text) is expected


async def test_a_statement_ends_at_the_first_word_of_the_next() -> None:
    said = "if a > 1234:\n        long_name()\n    bb = 2\n    cc = 3\n"
    assert await stopped_at("def f():\n    a = 1\n    <CURSOR>\n", said) == snapshot("""\
if a > 1234:
        long_name()
    bb = \
""")


async def test_a_statement_goes_on_with_its_other_branch() -> None:
    said = "if a > 1234:\n        long_name()\n    else:\n        other()\n    bb = 2\n"
    assert await stopped_at("def f():\n    a = 1\n    <CURSOR>\n", said) == snapshot("""\
if a > 1234:
        long_name()
    else:
        other()
    bb \
""")


async def test_one_unit_over_and_over_ends_it() -> None:
    assert await stopped_at("x = <CURSOR>\n", "ab" * 60) == snapshot("ababababababababababababababababababababab")


async def test_equal_lines_end_it() -> None:
    assert await stopped_at("def f():\n    <CURSOR>\n", "a = 1\n" + "    call()\n" * 9) == snapshot("""\
a = 1
    call()
    call()
    call()
""")


async def test_blank_lines_end_nothing() -> None:
    assert await stopped_at("def f():\n    <CURSOR>\n", "\n\n\n    a = 1\n    b = 2\n") == snapshot("""\



    a = 1
    b = 2
""")
