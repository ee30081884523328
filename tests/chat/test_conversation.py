"""A conversation: commands in messages, and what is kept of questions and answers."""

from __future__ import annotations

import pytest

from codegemma_lsp.chat import Action, Conversation, ask
from codegemma_lsp.chat.actions import parse_command
from codegemma_lsp.chat.references import around_reference
from codegemma_lsp.chat.repetition import repeats, without_repeats
from codegemma_lsp.document import Document
from tests.chat.story import chatting
from tests.marks import selection
from tests.scripted import ScriptedEngine


async def test_a_conversation_keeps_a_question_with_its_answer() -> None:
    conversation = Conversation()
    await ask(chatting(ScriptedEngine("Because.")), conversation, "Why?", [])
    assert [message.text for message in conversation.messages] == ["Why?", "Because."]


async def test_a_question_without_an_answer_is_forgotten() -> None:
    conversation = Conversation()
    conversation.add("Why?", "Because.")
    await ask(chatting(ScriptedEngine("")), conversation, "And?", [])
    assert [message.text for message in conversation.messages] == ["Why?", "Because."]


LOOP = "The function adds the two numbers and returns their sum.\n"


async def test_a_model_that_repeats_itself_is_stopped() -> None:
    conversation, told = Conversation(), list[str]()
    answer = await ask(chatting(ScriptedEngine(f"It adds.\n\n{LOOP * 50}"), told.append), conversation, "Why?", [])
    assert answer.text == f"It adds.\n\n{LOOP.strip()}"
    assert not answer.complete
    assert answer.note == "The model repeated itself, so the answer was stopped."
    assert [message.text for message in conversation.messages] == ["Why?", answer.text]
    assert "".join(told).count(LOOP) <= 4


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LOOP * 2, id="said twice"),
        pytest.param("".join(f"{number}. {LOOP}" for number in range(9)), id="a numbered list"),
        pytest.param(f"# Sums\n{'-' * 400}\n", id="a ruler"),
        pytest.param(f"| a | b |\n{'|---' * 100}|\n", id="a table's head"),
        pytest.param(LOOP * 9 + "Done.", id="went on"),
    ],
)
def test_what_is_no_repetition(text: str) -> None:
    assert not repeats(text)
    assert without_repeats(text) == text


def test_a_long_block_that_is_repeated() -> None:
    block = "".join(f"Step {number} adds one.\n" for number in range(60))
    assert not repeats(block * 2)
    assert repeats(block * 3)
    assert without_repeats(f"Steps:\n{block * 3}") == f"Steps:\n{block.strip()}"


@pytest.mark.parametrize(
    ("text", "action", "rest"),
    [
        pytest.param("/fix the loop", Action.FIX, "the loop", id="with words"),
        pytest.param("  /explain", Action.EXPLAIN, "", id="alone"),
        pytest.param("/EDIT\nmake it so", Action.EDIT, "make it so", id="in capitals, with a line"),
        pytest.param("what is /etc/passwd?", None, "what is /etc/passwd?", id="a path in the text"),
        pytest.param("/etc/passwd is what?", None, "/etc/passwd is what?", id="a path first"),
    ],
)
def test_commands_in_a_message(text: str, action: Action | None, rest: str) -> None:
    assert parse_command(text) == (action, rest)


@pytest.mark.parametrize(
    ("marked", "text", "line"),
    [
        pytest.param(
            "x = 1\n\ndef f():\n    return<CURSOR> 1\n\ny = 2\n", "def f():\n    return 1", 3, id="in-a-function"
        ),
        pytest.param("class A:\n    a = 1<CURSOR>\n", "class A:\n    a = 1", 1, id="in-a-class"),
        pytest.param("x = 1<CURSOR>\ndef f(): ...\n", "x = 1\ndef f(): ...\n", 1, id="in-neither"),
        pytest.param("a = 1\n<SELECTED>b = 2</SELECTED>\n", "b = 2", 2, id="selected"),
        pytest.param("<CURSOR>", "", 1, id="an-empty-file"),
    ],
)
def test_what_is_explained_where_nothing_is_selected(marked: str, text: str, line: int) -> None:
    source, selected = selection(marked)
    found = around_reference(Document(uri="file:///a.py", text=source, language="python"), selected, "a.py")
    assert (found.text, found.first_line) == (text, line)
