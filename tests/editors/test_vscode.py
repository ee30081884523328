"""The packaged extension in a real VS Code, as a user on its page, with the real server and the bundled models."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.vscode_settings import PACKAGE, properties
from tests.editors.vscode import ROOT, Code, missing, vscode

SOURCE = (ROOT / "tests" / "data" / "shapes.py").read_text("utf-8")
METHOD = SOURCE[: 1 + SOURCE.index(":", SOURCE.index("def area(self) -> float:\n        return sum"))].count("\n") + 1
"""The line of the last ``area``, from 1."""
TYPED = ("        for shape in self.", "        if not self.", "        return self.", "        self.name = ")


def test_the_extensions_settings_are_the_servers() -> None:
    package = json.loads(PACKAGE.read_text("utf-8"))
    written = package["contributes"]["configuration"]["properties"]
    assert written == properties(), "run python scripts/vscode_settings.py"
    restricted = package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert all(written[name]["scope"] == "machine" for name in restricted)


needs_vscode = pytest.mark.skipif(bool(missing()), reason=missing() or "VS Code is there")
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    launcher = tmp_path_factory.mktemp("bin") / "codegemma-lsp"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m codegemma_lsp "$@"\n')
    launcher.chmod(0o755)
    settings = {
        "codegemma.serverPath": str(launcher),
        "codegemma.minConfidence": -9,
        "codegemma.threads": 1,
        "codegemma.chatMaxTokens": 120,
    }
    with vscode(tmp_path_factory.mktemp("vscode"), settings) as found:
        yield found


def suggested(code: Code, name: str, source: str = SOURCE) -> str:
    """Types in the last ``area`` what has something suggested; the ghost text."""
    code.open(name, source)
    for typed in TYPED:
        code.go_to(METHOD)
        code.page.keyboard.press("Enter")
        code.page.keyboard.press("Shift+Home")
        code.type(typed)
        try:
            return str(code.until(code.ghost, "ghost text", 8))
        except AssertionError:
            code.page.keyboard.press("Escape")
    raise AssertionError("nothing was suggested anywhere")


def plain(text: str) -> str:
    """As Monaco writes it on the page: with no-break spaces."""
    return text.replace("\u00a0", " ").replace("\u00b7", " ")


@needs_vscode
def test_typing_shows_ghost_text_and_tab_accepts_it(code: Code) -> None:
    ghost = plain(suggested(code, "accepted.py"))
    code.shot("ghost-text")
    code.until(lambda: code.saved("accepted.py") != SOURCE, "what was typed is saved")
    code.page.wait_for_timeout(500)
    typed = next(text for text in code.saved("accepted.py").split("\n")[METHOD:] if text.strip())
    code.page.keyboard.press("Tab")
    code.until(lambda: f"{typed}{ghost}" in code.saved("accepted.py"), "accepted and saved")
    assert code.saved("accepted.py").startswith(SOURCE[: SOURCE.index("class Drawing")])


@needs_vscode
def test_a_word_is_accepted(code: Code) -> None:
    ghost = plain(suggested(code, "word.py"))
    code.page.keyboard.press("Control+ArrowRight")
    code.until(lambda: plain(code.ghost()) != ghost, "less is left")
    assert ghost.endswith(plain(code.ghost()).split("\n")[0]) or plain(code.ghost()) not in ghost


@needs_vscode
def test_typing_something_else_takes_it_away(code: Code) -> None:
    ghost = plain(suggested(code, "other.py"))
    code.type("q" if not ghost.startswith("q") else "z")
    code.until(lambda: plain(code.ghost()) != ghost, "another one or none")


@needs_vscode
def test_emoji_and_tabs_before_the_cursor(code: Code) -> None:
    source = SOURCE.replace("    ", "\t").replace('"""Shapes', '"""\U0001f9f9 Shapes')
    code.open("emoji.py", source)
    line = next(i for i, text in enumerate(source.split("\n"), 1) if "return math.pi" in text)
    code.go_to(line)
    for _ in "self.radius**2":
        code.page.keyboard.press("Backspace")
    code.type("len('\U0001f680') * self.")
    ghost = plain(str(code.until(code.ghost, "ghost text", 20)))
    code.page.keyboard.press("Tab")
    wanted = f"\t\treturn math.pi * len('\U0001f680') * self.{ghost.split(chr(10))[0]}"
    code.until(lambda: wanted in code.saved("emoji.py"), "it stands behind the emoji")


@needs_vscode
def test_an_edit_is_previewed_then_discarded_then_accepted(code: Code) -> None:
    code.open("edited.py", SOURCE)
    for accepted in (False, True):
        code.go_to(METHOD + 1)
        code.command("CodeGemma: Document")
        code.until(lambda: code.page.locator(".monaco-diff-editor").count(), "a diff")
        code.until(
            lambda: code.page.locator(".monaco-diff-editor .view-line", has_text='"""').count() > 1, "what would come"
        )
        if accepted:
            code.shot("edit")
        assert code.saved("edited.py") == SOURCE
        code.command("CodeGemma: Accept the Edit" if accepted else "CodeGemma: Discard the Edit")
        code.until(lambda: not code.page.locator(".monaco-diff-editor").count(), "the diff is closed")
        if not accepted:
            code.page.wait_for_timeout(500)
            assert code.saved("edited.py") == SOURCE
    after = str(code.until(lambda: (now := code.saved("edited.py")) != SOURCE and now, "accepted"))
    head, tail = SOURCE.split("        return sum(", 1)
    assert after.startswith(head)
    assert after.endswith(f"        return sum({tail}")
    assert '"""' in after[len(head) :]


@needs_vscode
def test_chat_is_streamed_and_shown_as_markdown(code: Code) -> None:
    code.open("chat.py", SOURCE)
    code.command("CodeGemma: Open the Chat")
    frame = code.until(
        lambda: next((f for f in code.page.frames if f.query_selector("#question")), None), "the chat's page"
    )
    frame.fill("#question", "Write a short Python function that adds two numbers.")
    frame.press("#question", "Enter")
    lengths = set()

    def over() -> bool:
        lengths.add(len(frame.inner_text("#log")))
        return bool(frame.is_visible("#send") and frame.locator(".answer").count() == 1)

    code.until(over, "an answer")
    assert frame.locator(".question").inner_text().startswith("Write a short")
    assert "SmolLM2" in frame.locator(".note").inner_text()
    assert len(lengths) > 3
    code.shot("chat")
    frame.fill("#question", "Tell a very long story.")
    frame.press("#question", "Enter")
    code.until(lambda: frame.is_visible("#stop"), "it answers")
    frame.press("#question", "Escape")
    code.until(lambda: frame.is_visible("#send"), "stopped")


def is_server(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.cmdline()[-2:] == ["codegemma_lsp", "serve"])
    return False


@needs_vscode
def test_the_server_killed_comes_back(code: Code) -> None:
    code.open("killed.py", SOURCE)

    def servers() -> set[int]:
        return {one.pid for one in psutil.Process().children(recursive=True) if is_server(one)}

    before = servers()
    assert before
    for process in before:
        os.kill(process, signal.SIGKILL)
    code.until(lambda: servers() - before, "another server was started")
    code.ready()
    assert suggested(code, "again.py")
    assert Path(code.folder / "killed.py").read_text("utf-8") == SOURCE
