"""Tests are written where the project's layout has them, below those that are there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.chat import Action, Project, RequestRefused, propose
from codegemma_lsp.chat.write_tests import test_file as file_of_tests
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.prompt import Text
from codegemma_lsp.syntax import find_language
from tests.chat.story import Story, chatting, python
from tests.scripted import ScriptedEngine


@pytest.mark.parametrize(
    ("path", "language", "tests"),
    [
        pytest.param("shop/price.py", "python", "tests/test_price.py", id="a folder of tests"),
        pytest.param("shop/known.py", "python", "tests/unit/test_known.py", id="tests that are there"),
        pytest.param("tests/test_other.py", "python", "tests/test_other.py", id="a file of tests"),
        pytest.param("web/a.ts", "typescript", "web/__tests__/a.test.ts", id="__tests__ beside it"),
        pytest.param("lib/a.js", "javascript", "lib/a.test.js", id="no folder of tests"),
        pytest.param("cmd/a.go", "go", "cmd/a_test.go", id="go"),
        pytest.param("src/main/java/a/B.java", "java", "src/test/java/a/BTest.java", id="java"),
        pytest.param("src/lib.rs", "rust", "src/lib.rs", id="rust, in the file itself"),
    ],
)
def test_where_tests_go(tmp_path: Path, path: str, language: str, tests: str) -> None:
    for name in ("tests/unit/test_known.py", "web/__tests__/x.test.ts", "shop/price.py", "src/main/java/a/B.java"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    known = find_language(language)
    assert known is not None
    assert known.tests is not None
    assert file_of_tests(tmp_path / path, tmp_path, known.tests) == tmp_path / tests


def test_new_tests_go_below_those_that_are_there_and_their_imports_too() -> None:
    existing = Document(
        uri="file:///project/shop/test_a.py",
        text="import os\n\n\ndef test_old():\n    assert os\n",
        language="python",
        version=0,
    )
    story = Story("def f():\n    return 1<CURSOR>\n", "python", existing=existing)
    proposal = story.proposal(Action.TESTS, "new():\n    assert f() == 1\n```")
    assert proposal.after == snapshot("""\
import os
import pytest
from shop.a import f


def test_old():
    assert os


def test_new():
    assert f() == 1
""")
    assert not proposal.creates


def test_a_file_of_tests_is_made_where_there_is_none() -> None:
    story = python("def f():\n    return 1<CURSOR>\n")
    proposal = story.proposal(Action.TESTS, "new():\n    assert f() == 1\n```")
    assert proposal.after == snapshot("""\
import pytest

from shop.a import f


def test_new():
    assert f() == 1
""")
    assert proposal.creates


def test_what_is_tested_is_not_written_again() -> None:
    story = python("def f():\n    return 1<CURSOR>\n\n\ndef g():\n    return 2\n")
    answer = "f():\n    assert f() == 1\n\n\ndef f():\n    return 1\n\n\ndef test_g():\n    assert f() < 2\n```"
    assert story.proposal(Action.TESTS, answer).after == snapshot("""\
import pytest

from shop.a import f


def test_f():
    assert f() == 1


def test_g():
    assert f() < 2
""")


def test_whole_tests_of_an_answer_that_was_cut_off_are_kept() -> None:
    story = python("def f():\n    return 1<CURSOR>\n")
    answer = "one():\n    assert f() == 1\n\n\ndef test_two():\n    assert f("
    assert story.proposal(Action.TESTS, answer, Finish.LENGTH).after == snapshot("""\
import pytest

from shop.a import f


def test_one():
    assert f() == 1
""")


def test_an_answer_that_was_cut_off_in_its_first_test_is_refused() -> None:
    with pytest.raises(RequestRefused, match="cut off"):
        python("def f():\n    return 1<CURSOR>\n").proposal(Action.TESTS, "one():\n    assert f(", Finish.LENGTH)


@pytest.mark.parametrize(
    ("language", "source", "begun"),
    [
        pytest.param(
            "python",
            "class Till:\n    def pay(self):\n        return 1<CURSOR>\n",
            "import pytest\n\nfrom shop.a import Till\n\n\ndef test_",
            id="a-method",
        ),
        pytest.param(
            "go",
            "package shop\n\nfunc F() int {\n\treturn 1<CURSOR>\n}\n",
            'package shop\n\nimport "testing"\n\nfunc Test',
            id="go",
        ),
        pytest.param(
            "rust",
            "fn f() -> i32 {\n    1<CURSOR>\n}\n",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn ",
            id="rust",
        ),
        pytest.param(
            "javascript",
            "export function f() {\n  return 1<CURSOR>\n}\n",
            'import { f } from "./a";\n\n',
            id="javascript",
        ),
        pytest.param(
            "javascript",
            "function f() {\n  return 1<CURSOR>\n}\nmodule.exports = { f }\n",
            'const { f } = require("./a");\n\n',
            id="commonjs",
        ),
    ],
)
def test_the_answer_begins_by_the_custom_of_the_language(language: str, source: str, begun: str) -> None:
    engine = ScriptedEngine("")
    project = Project(Path("/project"), lambda _: None)
    with pytest.raises(RequestRefused):
        asyncio.run(propose(chatting(engine), Action.TESTS, Story(source, language).target(), project))
    assert isinstance(last := engine.requests[0].prompt.segments[-1], Text)
    assert last.text == f"```{language}\n{begun}"
