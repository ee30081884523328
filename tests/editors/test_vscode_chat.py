"""The chat's page in a real VS Code while a slow model answers what it is told to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from tests.editors.test_vscode import needs_vscode
from tests.editors.vscode import Code, chrome, vscode
from tests.slow_chat import command

pytestmark = [
    needs_vscode,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONG_LINE = "total = " + " + ".join(f"number_{number}" for number in range(30))
LOOP = "The function adds the two numbers and returns their sum.\n"
ANSWERS = {
    "code": f"This adds:\n\n```python\n{LONG_LINE}\nprint(total)\n```\n",
    "apply": "So:\n\n```python\ndef left(self):\n    return 2\n```\n",
    "command": "Run:\n\n```bash\necho $((40 + 2))\n```\n",
    "loop": f"It adds.\n\n{LOOP * 40}",
    "first": "The first answer. " + " ".join(f"word{number}" for number in range(40)),
    "second": "The second answer.",
    "third": "The third answer.",
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    folder = tmp_path_factory.mktemp("bin")
    answers, program = folder / "answers.json", folder / "codegemma-lsp"
    answers.write_text(json.dumps(ANSWERS))
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command(answers)[:-1])} "$@"\n')
    program.chmod(0o755)
    settings = {"codegemma.serverPath": str(program)}
    with chrome() as browser, vscode(browser, tmp_path_factory.mktemp("vscode"), settings) as found:
        yield found


@pytest.fixture
def frame(code: Code) -> Any:
    return chat_beside(code, "chat.py", "ANSWER = 42\n")


def chat_beside(code: Code, name: str, text: str) -> Any:
    """An empty chat beside a file."""
    code.open(name, text)
    frame = code.chat()
    code.command("CodeGemma: New Conversation")
    code.until(lambda: not frame.inner_text("#log"), "an empty chat")
    frame.fill("#question", "")
    return frame


def ask(frame: Any, question: str) -> None:
    frame.fill("#question", question)
    frame.press("#question", "Enter")


def answered(code: Code, frame: Any, count: int = 1) -> None:
    code.until(lambda: frame.locator(".answer").count() == count and frame.is_visible("#send"), "it has answered")


def test_a_long_line_of_code_scrolls_and_is_seen_to_go_on(code: Code, frame: Any) -> None:
    ask(frame, "code")
    answered(code, frame)
    block = frame.locator(".block")
    code.until(lambda: "cut" in block.get_attribute("class"), "it is seen that the line goes on")
    code.shot("code-block")
    assert frame.locator(".head span").inner_text() == "python"
    assert frame.is_visible("text=Copy")
    pre = frame.locator("pre")
    assert pre.inner_text().rstrip("\n") == f"{LONG_LINE}\nprint(total)"
    assert pre.evaluate("code => code.scrollWidth > code.clientWidth && getComputedStyle(code).overflowX === 'auto'")
    pre.evaluate("code => code.scrollTo(code.scrollWidth, 0)")
    code.until(lambda: "cut" not in block.get_attribute("class"), "its end is there")


def test_code_is_put_where_it_belongs_after_a_preview(code: Code) -> None:
    text = "class Till:\n    def left(self):\n        return 1\n\n\nlast = 3\n"
    frame = chat_beside(code, "till.py", text)
    ask(frame, "apply")
    answered(code, frame)
    frame.locator(".head button", has_text="Apply").click()
    code.until(lambda: code.page.locator(".monaco-diff-editor").count(), "a diff")
    code.shot("apply")
    assert code.saved("till.py") == text
    code.page.locator(".editor-actions .action-label", has_text="Accept (Ctrl+Enter)").click()
    code.until(lambda: code.saved("till.py") == text.replace("return 1", "return 2"), "accepted")


def test_code_is_opened_as_a_new_file(code: Code, frame: Any) -> None:
    ask(frame, "apply")
    answered(code, frame)
    frame.locator(".head button", has_text="New").click()
    code.until(lambda: code.page.locator(".tab.active", has_text="Untitled").count(), "a new file")
    assert "def left(self):" in code.page.locator(".editor-instance .view-lines").first.inner_text().replace(
        "\xa0", " "
    )


def test_a_command_goes_to_the_terminal_and_not_into_a_file(code: Code, frame: Any) -> None:
    ask(frame, "command")
    answered(code, frame)
    assert frame.locator(".head button").all_inner_texts() == ["Copy", "Insert", "Terminal"]
    frame.locator(".head button", has_text="Terminal").click()
    code.until(lambda: code.page.locator(".terminal-wrapper.active").count(), "a terminal")


def test_questions_during_an_answer_wait_for_it(code: Code, frame: Any) -> None:
    ask(frame, "first")
    code.until(lambda: frame.is_visible("#stop"), "it answers")
    for question in ("second", "unwanted", "third"):
        ask(frame, question)
    code.until(lambda: frame.locator("#queue li").count() == 3, "three wait")
    code.shot("queue")
    assert frame.input_value("#question") == ""
    frame.locator("#queue li", has_text="unwanted").locator("button").click()
    code.until(lambda: frame.locator("#queue li").count() == 2, "two wait")
    answered(code, frame, 3)
    assert frame.locator(".question").all_inner_texts() == ["first", "second", "third"]
    assert frame.locator(".answer").all_inner_texts() == [
        ANSWERS[name].strip() for name in ("first", "second", "third")
    ]
    assert not frame.is_visible("#queue")


def test_an_answer_that_is_stopped_makes_way_for_the_next(code: Code, frame: Any) -> None:
    ask(frame, "first")
    code.until(lambda: frame.is_visible("#stop") and frame.locator(".answer").inner_text(), "it answers")
    ask(frame, "second")
    frame.click("#stop")
    answered(code, frame, 2)
    assert frame.locator(".answer").last.inner_text() == ANSWERS["second"]
    assert frame.locator(".problem").inner_text() == "Stopped."


def test_questions_that_wait_are_not_lost_with_the_conversation(code: Code, frame: Any) -> None:
    ask(frame, "first")
    code.until(lambda: frame.is_visible("#stop"), "it answers")
    ask(frame, "second")
    code.until(lambda: frame.is_visible("#queue"), "one waits")
    code.command("CodeGemma: New Conversation")
    code.until(lambda: frame.input_value("#question") == "second", "it is back in the box")
    assert frame.inner_text("#log") == ""
    assert not frame.is_visible("#queue")


def test_a_model_that_repeats_itself_is_stopped(code: Code, frame: Any) -> None:
    ask(frame, "loop")
    answered(code, frame)
    assert frame.locator(".answer").inner_text() == f"It adds.\n\n{LOOP.strip()}"
    assert frame.locator(".note").inner_text().startswith("The model repeated itself, so the answer was stopped.")
