"""Code in an answer: it ends at its fence, and takes the file's indentation."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat.code import code_so_far, continued, fitted, indent_unit


@pytest.mark.parametrize(
    ("answer", "code", "closed"),
    [
        pytest.param("x = 1\n```", "x = 1", True, id="closed"),
        pytest.param("x = 1\n```\nsure", "x = 1", True, id="words after it"),
        pytest.param("x = 1\n``", "x = 1", False, id="a fence that is coming"),
        pytest.param("s = '```'\n", "s = '```'", False, id="a fence within a line"),
        pytest.param("```\n", "", True, id="nothing"),
        pytest.param("a\r\nb\r```", "a\nb", True, id="other line ends"),
    ],
)
def test_code_ends_at_its_fence(answer: str, code: str, closed: bool) -> None:
    assert code_so_far(answer, "```") == (code, closed)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("price():\n    pass", "import shop\n\n\ndef test_price():\n    pass", id="as asked"),
        pytest.param("def test_price():\n", "import shop\n\n\ndef test_price():\n", id="its last line again"),
        pytest.param("import shop\n\n\ndef test_a():\n", "import shop\n\n\ndef test_a():\n", id="all of it again"),
        pytest.param("", "import shop\n\n\ndef test_", id="nothing"),
    ],
)
def test_what_an_answer_was_begun_with_is_there_once(text: str, answer: str) -> None:
    assert continued("import shop\n\n\ndef test_", text) == answer


def test_spaces_become_tabs_at_the_depth_of_the_region() -> None:
    assert fitted("def f():\n    if a:\n        b()", "\tdef f():\n\t\treturn", "\t") == snapshot("""\
	def f():
		if a:
			b()\
""")


def test_two_spaces_become_four_at_the_depth_of_the_region() -> None:
    assert fitted("if a:\n  b()", "    x", "    ") == snapshot("""\
    if a:
        b()\
""")


@pytest.mark.parametrize(("text", "unit"), [("a:\n  b:\n      c", "  "), ("a\n\tb\n\t\tc", "\t")])
def test_the_unit_of_indentation_is_the_files(text: str, unit: str) -> None:
    assert indent_unit(text) == unit
