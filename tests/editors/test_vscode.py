"""The packaged extension in a real VS Code, as a user on its page, with the real server and the bundled models."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.vscode_settings import PACKAGE, configuration, properties
from tests.editors.vscode import ROOT, Code, chrome, missing, vscode

SOURCE = (ROOT / "tests" / "data" / "shapes.py").read_text("utf-8")
METHOD = SOURCE[: 1 + SOURCE.index(":", SOURCE.index("def area(self) -> float:\n        return sum"))].count("\n") + 1
"""The line of the last ``area``, from 1."""
TYPED = ("        for shape in self.", "        if not self.", "        return self.", "        self.name = ")


def test_the_extensions_settings_are_the_servers() -> None:
    package = json.loads(PACKAGE.read_text("utf-8"))
    groups = package["contributes"]["configuration"]
    assert groups == configuration(), "run python scripts/vscode_settings.py"
    written = properties(groups)
    assert package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] == list(written)
    of_machine = (
        "serverPath",
        "installSource",
        "model",
        "chatModel",
        "adapter",
        "adapters",
        "allowPlainHttp",
        "shareModel",
    )
    assert all(written[f"codegemma.{name}"]["scope"] == "machine" for name in of_machine)


needs_vscode = pytest.mark.skipif(bool(missing()), reason=missing() or "VS Code is there")
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


SETTINGS = {
    "codegemma.minConfidence": -9,
    "codegemma.answerWithinMs": 0,
    "codegemma.threads": 1,
    "codegemma.chatMaxTokens": 120,
    "codegemma.batchTokens": 64,
}
"""Whether the small chat model has anything to say of a file hangs on rounding, and that on the size of batches."""


def launcher(folder: Path) -> dict[str, Any]:
    """Settings that name a server's program, which is made."""
    program = folder / "codegemma-lsp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m codegemma_lsp "$@"\n')
    program.chmod(0o755)
    return {**SETTINGS, "codegemma.serverPath": str(program)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chrome() as found:
        yield found


@pytest.fixture(scope="module")
def code(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    settings = launcher(tmp_path_factory.mktemp("bin"))
    with vscode(browser, tmp_path_factory.mktemp("vscode"), settings) as found:
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
def test_inside_the_extension_host(code: Code) -> None:
    """What the tests of host.js say, which use VS Code's own commands and the extension from the checkout."""
    (code.folder / "shapes.py").write_text(SOURCE)
    results = code.folder / "host.json"
    code.go(extensionDevelopmentPath=ROOT / "editors" / "vscode", extensionTestsPath=Path(__file__).parent / "host.js")
    code.until(results.exists, "the tests in the extension host are over", 250)
    found = json.loads(results.read_text())
    assert found.pop("done") == ""
    assert len(found) >= 10
    assert {name: problem for name, problem in found.items() if problem} == {}


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
    assert plain(code.ghost()) in ghost


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
        code.shot("edit")
        assert code.saved("edited.py") == SOURCE
        words = "Accept (Ctrl+Enter)" if accepted else "Discard (Esc)"
        code.page.locator(".editor-actions .action-label", has_text=words).click()
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
    frame = code.chat()
    frame.fill("#question", "Write a short Python function that adds two numbers.")
    frame.press("#question", "Enter")
    lengths = set()

    def over() -> bool:
        lengths.add(len(frame.inner_text("#log")))
        return bool(frame.locator(".answer").count() == 1 and frame.is_visible("#send"))

    code.until(over, "an answer")
    assert frame.locator(".question").inner_text().startswith("Write a short")
    assert "SmolLM2" in frame.locator(".note").inner_text()
    assert "choose it with CodeGemma: Choose a Model" in frame.locator(".note").inner_text()
    assert len(lengths) > 3
    code.shot("chat")
    frame.fill("#question", "Tell a very long story.")
    frame.press("#question", "Enter")
    code.until(lambda: frame.is_visible("#stop"), "it answers")
    frame.fill("#question", "What comes next")
    code.command("View: Show Explorer")
    code.until(lambda: code.page.locator(".explorer-folders-view").is_visible(), "something else is shown")
    code.chat()
    code.until(lambda: frame.is_visible("#send") and frame.locator(".answer").count() == 2, "it has answered")
    assert frame.input_value("#question") == "What comes next"
    frame.press("#question", "Enter")
    code.until(lambda: frame.is_visible("#stop"), "it answers")
    frame.press("#question", "Escape")
    code.until(lambda: frame.is_visible("#send"), "stopped")


@needs_vscode
def test_the_chat_opens_with_a_greeting(code: Code) -> None:
    code.open("greeting.py", "ANSWER = 42\n")
    frame = code.chat()
    code.command("CodeGemma: New Conversation")
    code.until(lambda: frame.is_visible("#greeting"), "the greeting")
    greeting = frame.inner_text("#greeting")
    assert "The model sees" in greeting
    assert "Nothing leaves this machine" in greeting
    code.shot("greeting")
    assert frame.locator("#greeting button").count() == 3
    frame.click("text=Change the selected code")
    assert frame.input_value("#question") == "/edit "
    frame.fill("#question", "")
    frame.click("text=Ask about a file")
    code.choose("add a file", "greeting.py")
    code.until(lambda: frame.input_value("#question") == "#file:greeting.py ", "the reference")
    frame.fill("#question", "")
    frame.click("text=Explain the code at the cursor")
    code.until(lambda: frame.is_visible("#send") and frame.locator(".answer, .problem").count(), "an answer")
    assert frame.locator(".question").inner_text() == "/explain"
    assert frame.locator(".problem").count() == 0
    assert not frame.is_visible("#greeting")


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


@needs_vscode
def test_conversations_are_kept_and_files_are_referred_to(code: Code) -> None:
    code.open("history.py", "ANSWER = 42\n")
    frame = code.chat()
    code.command("CodeGemma: New Conversation")
    code.until(lambda: not frame.inner_text("#log"), "an empty chat")
    frame.click("#refer")
    code.choose("add a file", "history.py")
    code.until(lambda: frame.input_value("#question") == "#file:history.py ", "the reference")
    frame.type("#question", "What is the answer?")
    frame.press("#question", "Enter")
    code.until(lambda: frame.locator(".answer").count() == 1 and frame.is_visible("#send"), "an answer")
    answer = frame.locator(".answer").inner_text()
    assert "no file" not in frame.inner_text("#log")
    code.command("CodeGemma: New Conversation")
    code.until(lambda: not frame.inner_text("#log"), "an empty chat")
    code.command("CodeGemma: Earlier Conversations")
    code.choose("earlier conversations")
    code.until(lambda: frame.locator(".answer").count() == 1, "the earlier one")
    assert frame.locator(".question").inner_text() == "#file:history.py What is the answer?"
    assert frame.locator(".answer").inner_text() == answer
    code.open("history.py", "ANSWER = 42\n")  # the page is loaded anew
    frame = code.chat()
    code.until(lambda: frame.locator(".answer").count() == 1, "it is there again")


@needs_vscode
def test_an_untrusted_workspace_has_suggestions_only_and_sets_nothing(browser: Any, tmp_path: Path) -> None:
    trust = {"enabled": True, "startupPrompt": "never", "banner": "never", "emptyWindow": False}
    settings = {f"security.workspace.trust.{name}": value for name, value in trust.items()}
    with vscode(browser, tmp_path, {**launcher(tmp_path), **settings}) as code:
        (code.folder / ".vscode").mkdir()
        theirs = {"codegemma.enabled": False, "codegemma.serverPath": "/no/such/program", "codegemma.model": "/x.gguf"}
        (code.folder / ".vscode" / "settings.json").write_text(json.dumps(theirs))
        suggested(code, "a.py")
        code.page.keyboard.press("Escape")
        code.command("CodeGemma: Document")
        code.notice("suggestions only")
        frame = code.chat()
        frame.fill("#question", "Hello")
        frame.press("#question", "Enter")
        code.until(lambda: frame.locator(".problem", has_text="trust it").count(), "why there is no answer")


@needs_vscode
def test_a_hostile_workspace_that_is_trusted_sets_no_model(browser: Any, tmp_path: Path) -> None:
    with vscode(browser, tmp_path, launcher(tmp_path)) as code:
        (code.folder / ".vscode").mkdir()
        os.mkfifo(code.folder / "model.gguf")
        theirs = {"codegemma.model": str(code.folder / "model.gguf"), "codegemma.serverPath": "/no/such/program"}
        (code.folder / ".vscode" / "settings.json").write_text(json.dumps(theirs))
        assert suggested(code, "a.py")


def nothing_installed(folder: Path) -> dict[str, str]:
    """An environment with this Python, without what is installed for it."""
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    return {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CODEGEMMA_LSP": ""}


@needs_vscode
def test_the_server_is_installed_where_there_is_none(browser: Any, tmp_path: Path) -> None:
    """By pip from a wheel of this checkout. What the wheel needs is not fetched again: it is found in the environment
    that the tests run in."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("codegemma_lsp-*.whl")
    variables = {
        **nothing_installed(tmp_path),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
    }
    with vscode(browser, tmp_path, {**SETTINGS, "codegemma.installSource": str(wheel)}, **variables) as code:
        code.open("a.py", SOURCE, ready=False)
        code.until(lambda: "not installed; click here to install it" in code.status(), "the status bar says it")
        code.notice("needs its server").locator("a", has_text="Install").click()
        code.ready(200)
    assert list((tmp_path / "user").rglob("server-*/bin/codegemma-lsp"))
    assert not list((tmp_path / "user").rglob("server-*.lock"))


@needs_vscode
def test_a_server_that_cannot_be_installed_is_said(browser: Any, tmp_path: Path) -> None:
    variables = {**nothing_installed(tmp_path), "PIP_NO_INDEX": "1"}
    with vscode(browser, tmp_path, {**SETTINGS, "codegemma.installSource": "codegemma-lsp"}, **variables) as code:
        code.open("a.py", SOURCE, ready=False)
        code.until(lambda: "not installed" in code.status(), "the status bar says it")
        code.notice("needs its server").locator("a", has_text="Install").click()
        code.notice("No matching distribution")
        code.until(lambda: "could not be installed" in code.status(), "the status bar says it")


@needs_vscode
def test_a_server_that_is_named_later_is_started(browser: Any, tmp_path: Path) -> None:
    with vscode(browser, tmp_path, SETTINGS, **nothing_installed(tmp_path)) as code:
        code.open("a.py", SOURCE, ready=False)
        code.until(lambda: "not installed; click here to install it" in code.status(), "what to do")
        code.command("CodeGemma: Status")
        code.until(lambda: code.entry("Say where the server is"), "the menu says it, too")
        code.page.keyboard.press("Escape")
        code.set(launcher(tmp_path))
        code.ready()


@needs_vscode
def test_the_settings_have_an_order_and_a_group_of_their_own(code: Code) -> None:
    code.open("settings.py", SOURCE)
    code.command("Preferences: Open Settings (UI)")
    code.page.wait_for_selector(".settings-editor .settings-tree-container")
    code.page.keyboard.type("@ext:codegemma-lsp.codegemma")
    titles = code.page.locator(".settings-tree-container .setting-item-label")
    code.until(lambda: titles.count() > 3, "settings")
    code.page.wait_for_timeout(1000)
    code.shot("settings")
    # Models are settings of the machine, which are on a tab of their own where VS Code is on a server.
    assert [titles.nth(i).inner_text() for i in range(4)] == ["Enabled", "Multiline", "Min Confidence", "Max Tokens"]
    assert code.page.locator(".settings-toc-container", has_text="Advanced").count()


def test_the_extension_has_an_icon_for_the_marketplace() -> None:
    icon = PACKAGE.parent / json.loads(PACKAGE.read_text("utf-8"))["icon"]
    head = icon.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert struct.unpack(">II", head[16:]) == (256, 256)
