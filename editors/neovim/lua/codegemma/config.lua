--- The plugin's own settings. What the server can be told is in `settings`, as its README lists it.
local M = {}

M.defaults = {
  --- The server. Where it is nil: the one that $CODEGEMMA_LSP names, the one beside this plugin's checkout, or the one
  --- in $PATH.
  cmd = nil,
  --- Settings of the server, such as { model = "/path/to/codegemma-2b.gguf", chatModel = "…" }.
  settings = {},
  --- false: suggest only when asked, by `trigger` below or `:CodeGemma suggest`.
  auto = true,
  --- Neovim 0.12 and later: what is suggested while typing is shown by Neovim itself; false: by this plugin, as before.
  native = true,
  --- Filetypes in which nothing is suggested.
  disabled_filetypes = { "help", "gitcommit", "TelescopePrompt", "codegemma-chat" },
  --- Files in which nothing is suggested: patterns of vim.glob, matched against the whole path.
  disabled_paths = {},
  --- Key mappings; false for none.
  keys = {
    accept = "<Tab>", -- indents as before where nothing is shown
    accept_word = "<M-Right>",
    accept_line = "<M-Down>",
    next = "<M-]>",
    previous = "<M-[>",
    dismiss = "<C-]>",
    trigger = "<M-\\>",
    accept_edit = "<CR>", -- in normal mode, while an edit is previewed
    discard_edit = "<Esc>",
  },
  --- Where the chat opens.
  chat = { split = "botright vertical", width = 60 },
}

M.current = vim.deepcopy(M.defaults)

--- Takes the user's settings; raises an error that names a setting that does not exist.
function M.set(given)
  given = given or {}
  for name in pairs(given) do
    if name ~= "cmd" and M.defaults[name] == nil then
      error(("codegemma: there is no setting %q; see :help codegemma-settings"):format(name), 0)
    end
  end
  M.current = vim.tbl_deep_extend("force", vim.deepcopy(M.defaults), given)
  -- Lists are replaced, not merged.
  for _, name in ipairs({ "cmd", "disabled_filetypes", "disabled_paths" }) do
    if given[name] ~= nil then
      M.current[name] = given[name]
    end
  end
end

--- The command that starts the server, and nil with a reason where there is none.
function M.command()
  if M.current.cmd then
    return M.current.cmd
  end
  local candidates = { vim.env.CODEGEMMA_LSP }
  local here = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)))))
  for _, root in ipairs({ here, vim.fs.dirname(vim.fs.dirname(here)) }) do
    table.insert(candidates, root .. "/.venv/bin/codegemma-lsp")
  end
  table.insert(candidates, "codegemma-lsp")
  for _, candidate in ipairs(candidates) do
    if vim.fn.executable(candidate) == 1 then
      return { candidate, "serve" }
    end
  end
  return nil, "codegemma-lsp is not installed; set it up as its README says, or name it: setup{ cmd = { … } }"
end

--- Neovim's own inline completion, where it is there and wanted.
function M.native()
  return M.current.native and vim.lsp.inline_completion or nil
end

--- Whether suggestions are wanted in a buffer.
function M.wanted(buffer)
  local current = M.current
  if vim.bo[buffer].buftype ~= "" or vim.tbl_contains(current.disabled_filetypes, vim.bo[buffer].filetype) then
    return false
  end
  local path = vim.api.nvim_buf_get_name(buffer)
  for _, pattern in ipairs(current.disabled_paths) do
    if vim.glob.to_lpeg(pattern):match(path) then
      return false
    end
  end
  return true
end

return M
