"""The README's picture: a suggestion of several lines by a real model. It is left in ``.cache/screenshots``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.editors.test_real_model import WAIT_S, shop
from tests.editors.test_vscode import needs_vscode
from tests.editors.vscode import Code

__all__ = ["shop"]

pytestmark = [needs_vscode, pytest.mark.timeout(400)]
READER = Path(__file__).parents[1] / "data" / "shop" / "reader.py"
HEAD = '''

def read_prices(text: str) -> dict[str, int]:
    """Reads lines of a name and a price, as in "Teapot;1250"; skips empty lines."""
    prices = {}
    for line in text.splitlines():
'''
REST = "    return prices\n"


def test_a_suggestion_of_several_lines_is_right(shop: Code) -> None:
    head = READER.read_text("utf-8") + HEAD
    shop.open("reader.py", head + REST)
    shop.go_to(head.count("\n"))
    shop.page.keyboard.press("Enter")
    shop.until(shop.ghost, "ghost text", WAIT_S)
    shop.until(lambda: is_settled(shop), "ghost text that has grown to its end", WAIT_S)
    shop.shot("shop-several-lines")
    shop.page.keyboard.press("Tab")
    shop.until(lambda: len(shop.saved("reader.py").split(HEAD)[1]) > len(f"        \n{REST}"), "accepted and saved")
    saved = shop.saved("reader.py")
    assert saved.startswith(head)
    assert saved.endswith(REST)
    assert saved.count("\n") > (head + REST).count("\n") + 1
    assert prices_read_by(saved[saved.index(HEAD) :]) == {"Teapot": 1250, "Cup": 300}


def is_settled(shop: Code) -> bool:
    """Whether nothing has grown for a while; the lines below the cursor's are part of the editor's text."""
    editor = shop.page.locator(".monaco-editor").first
    before = editor.inner_text()
    shop.page.wait_for_timeout(4000)
    return bool(editor.inner_text() == before)


def prices_read_by(function: str) -> dict[str, int]:
    defined: dict[str, Any] = {}
    exec(function, defined)
    return dict(defined["read_prices"]("Teapot;1250\n\nCup;300\n"))
