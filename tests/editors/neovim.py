"""A real Neovim with the plugin in it, driven by keys."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).parents[2] / "editors" / "neovim"
SERVER = (sys.executable, "-m", "codegemma_lsp", "serve")
PATIENCE_S = 30.0


def program() -> str | None:
    """Neovim where there is one: of the package that tests bring along, else of the machine."""
    own = Path(sys.executable).parent / "nvim"
    return str(own) if own.exists() else shutil.which("nvim")


class Neovim:
    """``lua`` evaluates an expression; ``keys`` types; everything else is waited for, never slept."""

    def __init__(self, nvim: Any) -> None:
        self.nvim = nvim

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.nvim.exec_lua(f"return {code}", *arguments)

    def run(self, code: str, *arguments: Any) -> None:
        self.nvim.exec_lua(code, *arguments)

    def keys(self, typed: str) -> None:
        """Keys as in mappings, one at a time, as a terminal sends them."""
        self.nvim.input(typed)
        self.nvim.eval("1")

    def until(self, what: Callable[[], Any], described: str) -> Any:
        found = self.within(PATIENCE_S, what)
        assert found, f"not within {PATIENCE_S:.0f} s: {described}; messages: {self.messages()}"
        return found

    def within(self, seconds: float, what: Callable[[], Any]) -> Any:
        """What ``what`` says as soon as it says something, or at the end."""
        deadline = time.monotonic() + seconds
        while not (found := what()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def messages(self) -> str:
        return str(self.nvim.command_output("messages"))

    @property
    def text(self) -> str:
        return "\n".join(self.nvim.current.buffer[:])

    @property
    def cursor(self) -> tuple[int, int]:
        """Row from 1, column in bytes from 0."""
        row, column = self.nvim.current.window.cursor
        return row, column

    @property
    def ghost(self) -> str | None:
        found: str | None = self.lua("require('codegemma.ghost').text()")
        return found

    @property
    def status(self) -> str:
        return str(self.lua("require('codegemma.server').status.message"))

    def ready(self) -> None:
        self.until(lambda: self.status.startswith("Ready"), "the server is ready")

    def open(self, path: Path, text: str) -> None:
        path.write_bytes(text.encode())
        self.nvim.command(f"edit! {path}")
        self.ready()

    def append_at(self, row: int) -> None:
        """Insert mode at the end of a row, from 1."""
        self.keys(f"<Esc>{row}GA")
        self.until(lambda: self.nvim.api.get_mode()["mode"] == "i", "insert mode")


@contextmanager
def started(folder: Path, *arguments: str, path: str | None = None) -> Iterator[Neovim]:
    """Neovim with nothing of the user's, in a folder of its own. ``path`` is the ``PATH`` that it sees."""
    import pynvim

    environment = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    environment |= {} if path is None else {"PATH": path}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        # Long messages would wait for a key.
        options = ("--embed", "--headless", "-n", "-i", "NONE", "--cmd", "set cmdheight=6 nomore")
        argv = [str(program()), *options, *arguments]
        nvim = pynvim.attach("child", argv=argv)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    try:
        nvim.ui_attach(100, 30, rgb=True, ext_linegrid=True)
        nvim.command(f"cd {folder}")
        found = Neovim(nvim)
        yield found
        del found.nvim
    finally:
        with warnings.catch_warnings():
            # pynvim leaves its pipes to the garbage collector.
            warnings.simplefilter("ignore")
            nvim.command("qall!", async_=True)
            nvim.close()
            del nvim
            gc.collect()


@contextmanager
def neovim(folder: Path, server: Sequence[str] = SERVER, **settings: Any) -> Iterator[Neovim]:
    """Neovim with the plugin set up for tests; ``server`` is the command that starts the server."""
    with started(folder, "--clean") as found:
        found.nvim.command(f"set runtimepath^={PLUGIN}")
        found.nvim.command("filetype plugin indent on")
        found.nvim.command("runtime plugin/codegemma.lua")
        given = {
            "cmd": list(server),
            "settings": {"minConfidence": -9, "threads": 1, "chatMaxTokens": 60, "answerWithinMs": 0, **settings},
        }
        found.run("require('codegemma').setup(...)", given)
        yield found


@contextmanager
def as_described(
    checkout: Path, folder: Path, file: str, setup: str = "{}", path: str | None = None
) -> Iterator[Neovim]:
    """Neovim with the two lines in its ``init.lua`` that the plugin's README names, and ``file`` opened from a shell.
    ``setup`` is what ``setup()`` is given."""
    folder.mkdir(exist_ok=True)
    init = folder / "init.lua"
    init.write_text(
        f'vim.opt.runtimepath:append("{checkout / "editors" / "neovim"}")\nrequire("codegemma").setup({setup})\n'
    )
    with started(folder, "-u", str(init), str(folder / file), path=path) as found:
        yield found
