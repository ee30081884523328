"""What a newcomer sees in VS Code with a real model, in a project that looks like someone's. The README's screenshots
are those that it leaves in ``.cache/screenshots``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.test_vscode import launcher, needs_vscode, plain
from tests.editors.vscode import ROOT, Code, chrome, vscode

pytestmark = [needs_vscode, pytest.mark.timeout(400)]
SHOP = ROOT / "tests" / "data" / "shop"
AFFORDABLE = '''

def affordable(items: list[Item], budget: int) -> list[Item]:
    """The items that cost at most the budget."""
'''
WAIT_S = 120.0
"""Seconds for an answer of a model that reads a hundred tokens a second, on processors that VS Code uses, too."""


@pytest.fixture(scope="module")
def shop(real_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    """VS Code on a copy of the project."""
    settings = {
        "codegemma.serverPath": launcher(tmp_path_factory.mktemp("bin"))["codegemma.serverPath"],
        "codegemma.model": str(real_model),
        "codegemma.chatMaxTokens": 220,
        "editor.fontSize": 15,
    }
    with chrome() as browser, vscode(browser, tmp_path_factory.mktemp("vscode"), settings) as code:
        for file in SHOP.iterdir():
            shutil.copy(file, code.folder)
        yield code


def test_ghost_text_is_right(shop: Code) -> None:
    source = (SHOP / "items.py").read_text("utf-8") + AFFORDABLE
    shop.open("items.py", source)
    shop.go_to(source.count("\n"))
    shop.page.keyboard.press("Enter")
    shop.page.keyboard.press("Shift+Home")
    shop.type("    return ")
    ghost = plain(str(shop.until(shop.ghost, "ghost text", WAIT_S)))
    shop.page.wait_for_timeout(500)
    shop.shot("shop-ghost-text")
    assert ghost == "[item for item in items if item.price <= budget]"


def test_what_is_typed_while_the_server_starts_is_completed(shop: Code) -> None:
    source = (SHOP / "items.py").read_text("utf-8") + AFFORDABLE
    shop.open("early.py", source, ready=False)
    shop.go_to(source.count("\n"))
    shop.page.keyboard.press("Enter")
    shop.page.keyboard.press("Shift+Home")
    shop.type("    return ")
    shop.until(lambda: shop.saved("early.py") == source + "    return \n", "what was typed is saved")
    ghost = plain(str(shop.until(shop.ghost, "ghost text", WAIT_S)))
    assert "[item for item in items if item.price <= budget]".startswith(ghost)


def test_what_was_typed_and_saved_before_the_extension_ran_is_completed(shop: Code) -> None:
    source = (SHOP / "items.py").read_text("utf-8") + AFFORDABLE
    shop.open("late.py", source)
    shop.go_to(source.count("\n"))
    shop.page.keyboard.press("Enter")
    shop.page.keyboard.press("Shift+Home")
    shop.type("    return ")
    shop.until(shop.ghost, "ghost text", WAIT_S)
    shop.page.keyboard.press("Escape")
    shop.until(lambda: not shop.ghost(), "the ghost text is gone")
    shop.until(lambda: shop.saved("late.py") == source + "    return \n", "what was typed is saved")
    shop.restart_extensions()
    ghost = plain(str(shop.until(shop.ghost, "ghost text", WAIT_S)))
    assert "[item for item in items if item.price <= budget]".startswith(ghost)


def test_the_chat_explains_what_is_selected(shop: Code) -> None:
    source = (SHOP / "items.py").read_text("utf-8")
    shop.open("items.py", source)
    shop.go_to(source[: source.index("def cheapest")].count("\n") + 1)
    shop.page.keyboard.press("Home")
    shop.page.keyboard.press("Shift+ArrowDown")
    shop.page.keyboard.press("Shift+ArrowDown")
    frame = shop.chat()
    frame.fill("#question", "What does this function do, in one sentence?")
    frame.press("#question", "Enter")
    shop.until(lambda: frame.locator(".answer").count() == 1 and frame.is_visible("#send"), "an answer", WAIT_S)
    shop.shot("shop-chat")
    assert re.search("cheapest|lowest|smallest|minimum", frame.locator(".answer").inner_text())
