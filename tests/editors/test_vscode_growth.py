"""A suggestion that grows in a real VS Code while a slow model writes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.editors.test_vscode import needs_vscode, plain
from tests.editors.vscode import Code, chrome, vscode
from tests.slow_server import BEGUN, REST, command

pytestmark = [
    needs_vscode,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WATCH = """() => {
  window.drawn = [];
  const watch = () => {
    const found = [...document.querySelectorAll(".ghost-text-decoration")].map((one) => one.textContent).join("");
    if (found !== window.drawn.at(-1)) {
      window.drawn.push(found);
    }
    requestAnimationFrame(watch);
  };
  watch();
}"""
"""Has each ghost text noted that a frame of the page shows."""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "codegemma-lsp"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command(BEGUN + REST)[:-1])} "$@"\n')
    program.chmod(0o755)
    settings = {"codegemma.serverPath": str(program)}
    with chrome() as browser, vscode(browser, tmp_path_factory.mktemp("vscode"), settings) as found:
        yield found


def begin(code: Code, name: str) -> str:
    """Waits until a part of the suggestion is shown, and returns it."""
    code.open(name, f"{BEGUN.rstrip()}\n")
    code.page.evaluate(WATCH)
    code.go_to(1)
    code.type(" ")
    found = plain(str(code.until(code.ghost, "ghost text")))
    assert found != REST
    return found


def drawn(code: Code) -> list[str]:
    """The ghost texts so far, each once, "" where there was none; without those before the first."""
    texts = [plain(text) for text in code.page.evaluate("window.drawn")]
    return texts[next((i for i, text in enumerate(texts) if text), len(texts)) :]


def grown(code: Code, text: str = REST) -> None:
    code.until(lambda: plain(code.ghost()) == text, "the whole of it")


def stays_away(code: Code) -> bool:
    """Whether there is no ghost text for longer than the model writes."""
    code.page.wait_for_timeout(2500)
    return drawn(code)[-1] == "" and drawn(code).count("") == 1


def test_it_grows_without_flicker(code: Code) -> None:
    first = begin(code, "grows.py")
    grown(code)
    code.shot("grown")
    texts = drawn(code)
    assert texts[0].startswith("first_name")
    assert first in texts
    assert len(texts) >= 3
    assert all(after.startswith(before) for before, after in pairwise(texts))
    code.page.keyboard.press("Tab")
    code.until(lambda: code.saved("grows.py") == f"{BEGUN}{REST}\n", "all of it accepted")


def test_half_of_it_is_accepted_and_the_rest_offered(code: Code) -> None:
    begin(code, "half.py")
    code.page.keyboard.press("Tab")
    code.until(lambda: plain(code.ghost()) and code.saved("half.py") != f"{BEGUN}\n", "accepted, and the rest")
    texts, saved = drawn(code), code.saved("half.py")
    accepted = saved.removeprefix(BEGUN).removesuffix("\n")
    assert accepted in texts
    assert accepted != REST
    grown(code, REST.removeprefix(accepted))
    code.page.keyboard.press("Tab")
    code.until(lambda: code.saved("half.py") == f"{BEGUN}{REST}\n", "all of it accepted")


@pytest.mark.parametrize("shown", ["first_name", "second_name"])
def test_a_word_of_a_half_is_accepted_and_the_rest_grows(code: Code, shown: str) -> None:
    name = f"word-{shown}.py"
    begin(code, name)
    code.until(lambda: shown in code.ghost(), "the last word that is shown before")
    code.page.keyboard.press("Control+ArrowRight")
    grown(code, REST.removeprefix("first_name"))
    code.until(lambda: code.saved(name) == f"{BEGUN}first_name\n", "a word was accepted")


def test_typing_otherwise_takes_it_away_for_good(code: Code) -> None:
    begin(code, "otherwise.py")
    code.page.keyboard.press("9")
    code.until(lambda: not code.ghost(), "it is gone", 2)
    assert stays_away(code)


def test_hidden_it_does_not_come_back(code: Code) -> None:
    begin(code, "hidden.py")
    code.page.keyboard.press("Escape")
    assert stays_away(code)


def test_hidden_it_is_not_shown_again_while_it_is_typed(code: Code) -> None:
    begin(code, "dismissed.py")
    code.page.keyboard.press("Escape")
    assert stays_away(code)
    code.type("first")
    assert stays_away(code)


def test_moved_away_from_it_does_not_come_back(code: Code) -> None:
    begin(code, "moved.py")
    code.page.keyboard.press("Home")
    assert stays_away(code)


def test_typing_along_keeps_it(code: Code) -> None:
    begin(code, "along.py")
    code.page.keyboard.type("first_na", delay=120)
    grown(code, REST[8:])
    assert "" not in drawn(code)
    code.until(lambda: code.saved("along.py") == f"{BEGUN}first_na\n", "it is what was typed")
