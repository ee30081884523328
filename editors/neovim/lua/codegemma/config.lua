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

--- Settings of this plugin that are tables of settings; `settings` holds the server's, and the server checks those.
local NESTED = { "keys", "chat" }

--- Says what is wrong with a setting, once the first file is on the screen.
local function warn(sentence, ...)
  local message = ("codegemma: " .. sentence):format(...)
  vim.schedule(function()
    vim.notify(message, vim.log.levels.WARN)
  end)
end

--- The settings in `given` that can be used; one sentence for each of the others. `path` is what their names begin
--- with. A key may also be false.
local function sound(given, defaults, path)
  local found = {}
  for name, value in pairs(given) do
    local shown, default = path .. tostring(name), defaults[name]
    if path == "" and name == "cmd" then
      default = {}
    end
    if default == nil then
      local hint = "see :help codegemma-settings"
      if path == "" then
        hint = ("one of the server goes into settings = { %s = … }"):format((shown:gsub("^codegemma%.", "")))
      end
      warn("there is no setting %s, so it is left out; %s", shown, hint)
    elseif type(value) ~= type(default) and not (path == "keys." and value == false) then
      warn("the setting %s is a %s and must be a %s, so it is left out", shown, type(value), type(default))
    else
      found[name] = value
    end
  end
  return found
end

--- Takes the user's settings. What cannot be used is left out, and said in a sentence.
function M.set(given)
  if given ~= nil and type(given) ~= "table" then
    warn("setup() takes a table such as { auto = false }, not a %s", type(given))
    given = nil
  end
  given = sound(given or {}, M.defaults, "")
  for _, name in ipairs(NESTED) do
    given[name] = given[name] and sound(given[name], M.defaults[name], name .. ".")
  end
  if given.settings then
    given.settings = vim.deepcopy(given.settings)
    for name in pairs(given.settings) do
      if name == "cmd" or M.defaults[name] ~= nil then
        warn("%s is a setting of the plugin: write it beside settings = { … }, not into it", name)
        given.settings[name] = nil
      end
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

--- The folder of the checkout that holds this plugin as editors/neovim, also if the plugin is a link to it.
local function checkout()
  local file = vim.fn.fnamemodify(debug.getinfo(1, "S").source:sub(2), ":p")
  local folder = vim.uv.fs_realpath(file) or file
  for _ = 1, 5 do -- config.lua, codegemma, lua, neovim, editors
    folder = vim.fs.dirname(folder)
  end
  return folder
end

--- The command that starts the server, and nil with a reason where there is none.
function M.command()
  if M.current.cmd then
    return M.current.cmd
  end
  local root = checkout()
  local candidates = { root .. "/.venv/bin/codegemma-lsp", root .. "/.venv/Scripts/codegemma-lsp.exe", "codegemma-lsp" }
  if vim.env.CODEGEMMA_LSP then
    table.insert(candidates, 1, vim.env.CODEGEMMA_LSP)
  end
  for _, candidate in ipairs(candidates) do
    if vim.fn.executable(candidate) == 1 then
      return { candidate, "serve" }
    end
  end
  if vim.uv.fs_stat(root .. "/scripts/setup") then
    local folder = vim.fn.fnamemodify(root, ":~")
    return nil, ("run ./scripts/setup in %s to get the server, then :CodeGemma enable"):format(folder)
  end
  return nil, "codegemma-lsp is not in $PATH; see :help codegemma-setup"
end

--- Neovim's own inline completion, where it is there and wanted.
function M.native()
  return M.current.native and vim.lsp.inline_completion or nil
end

--- Why no suggestions are wanted in a buffer; nil where they are.
function M.unwanted(buffer)
  local current, about = M.current, vim.bo[buffer]
  if about.buftype ~= "" then
    return ("it is no text of a file (its buftype is %s)"):format(about.buftype)
  end
  if vim.tbl_contains(current.disabled_filetypes, about.filetype) then
    return ("disabled_filetypes has %s"):format(about.filetype)
  end
  local path = vim.api.nvim_buf_get_name(buffer)
  for _, pattern in ipairs(current.disabled_paths) do
    if vim.glob.to_lpeg(pattern):match(path) then
      return ("disabled_paths has %s"):format(pattern)
    end
  end
  return nil
end

--- Whether suggestions are wanted in a buffer.
function M.wanted(buffer)
  return M.unwanted(buffer) == nil
end

return M
