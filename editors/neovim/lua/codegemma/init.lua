--- CodeGemma in Neovim: completion as ghost text, chat and edits, over the language server codegemma-lsp.
local M = {
  --- What keys were mapped to before, by key: what they come to, and the functions among them.
  before = {},
  callbacks = {},
}

local BRIGHT_BLACK = 8

local function highlights()
  -- Comments may have no colour without 'termguicolors', and ghost text must not look like text.
  local comment = vim.api.nvim_get_hl(0, { name = "Comment", link = false })
  vim.api.nvim_set_hl(0, "CodeGemmaGhost", {
    fg = comment.fg,
    ctermfg = comment.ctermfg or BRIGHT_BLACK,
    italic = true,
    cterm = { italic = true },
    default = true,
  })
  for name, target in pairs({ CodeGemmaAdded = "DiffAdd", CodeGemmaRemoved = "DiffDelete" }) do
    vim.api.nvim_set_hl(0, name, { link = target, default = true })
  end
end

--- What a mapping comes to when its key is typed: keys as Neovim has them within, to be mapped again where it says so.
local function of_mapping(key, before)
  if before.expr == 1 then
    return function()
      local said = before.callback and before.callback() or vim.api.nvim_eval(before.rhs)
      return before.replace_keycodes == 1 and vim.keycode(said or "") or said or ""
    end
  elseif before.callback then
    -- It may change text, which an expression may not.
    M.callbacks[key] = before.callback
    local keys = vim.keycode(("<Cmd>lua require('codegemma').callbacks[%q]()<CR>"):format(key:gsub("<", "<lt>")))
    return function()
      return keys
    end
  end
  local keys = vim.keycode((before.rhs:gsub("<SID>", ("<SNR>%d_"):format(before.sid or 0))))
  return function()
    if before.noremap == 1 or vim.startswith(keys, vim.keycode(key)) then
      return keys
    end
    vim.api.nvim_feedkeys(keys, "mi", false)
    return ""
  end
end

--- What a key does where nothing of ours is shown: what it was mapped to before the first set-up, else what it is.
local function fallback(key, mode)
  local before = vim.fn.maparg(key, mode, false, true)
  local is_ours = (before.desc or ""):match("^CodeGemma") ~= nil
  if not is_ours or not M.before[key] then
    local is_mapped = not is_ours and before.buffer == 0 and (before.callback or before.rhs)
    M.before[key] = is_mapped and of_mapping(key, before) or function()
      return vim.keycode(key)
    end
  end
  return M.before[key]
end

--- Maps a key of insert mode to what it does while ghost text is shown; `natively` is asked while Neovim shows its own.
local function map_insert(key, action, description, natively)
  if not key then
    return
  end
  local otherwise = fallback(key, "i")
  -- Text may not be changed while a mapping is evaluated; what is typed next must come after.
  local keys = vim.keycode(("<C-g>u<Cmd>lua %s<CR>"):format(action))
  vim.keymap.set("i", key, function()
    if require("codegemma.ghost").visible() then
      return keys
    end
    local native = require("codegemma.config").native()
    return native and natively and natively(native) and "" or otherwise()
  end, { expr = true, replace_keycodes = false, silent = true, desc = "CodeGemma: " .. description })
end

local function keys(own)
  local ghost = require("codegemma.ghost")
  local function accept(much)
    return ("require('codegemma.ghost').accept('%s')"):format(much)
  end
  map_insert(own.accept, accept("all"), "accept the suggestion", function(native)
    return native.get()
  end)
  map_insert(own.accept_word, accept("word"), "accept a word")
  map_insert(own.accept_line, accept("line"), "accept a line")
  map_insert(own.dismiss, "require('codegemma.ghost').reject()", "dismiss the suggestion")
  local function cycle(step)
    local native = require("codegemma.config").native()
    if native and not ghost.visible() then
      native.select({ count = step })
    else
      ghost.cycle(step)
    end
  end
  for key, action in pairs({
    next = function()
      cycle(1)
    end,
    previous = function()
      cycle(-1)
    end,
    trigger = function()
      ghost.ask(true)
    end,
  }) do
    if own[key] then
      vim.keymap.set("i", own[key], action, { silent = true, desc = "CodeGemma: " .. key })
    end
  end
end

--- Sets everything up; see |codegemma-settings|.
function M.setup(options)
  if vim.fn.has("nvim-0.10") == 0 then
    vim.notify("codegemma needs Neovim 0.10 or later", vim.log.levels.ERROR)
    return
  end
  local config, server = require("codegemma.config"), require("codegemma.server")
  config.set(options)
  highlights()
  local group = vim.api.nvim_create_augroup("codegemma", {})
  vim.api.nvim_create_autocmd({ "FileType", "BufReadPost", "BufNewFile" }, {
    group = group,
    callback = function(event)
      vim.schedule(function()
        if vim.api.nvim_buf_is_valid(event.buf) then
          server.attach(event.buf)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd("LspAttach", {
    group = group,
    callback = function(event)
      if server.client(event.buf) then
        M.set_native(event.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd("ColorScheme", { group = group, callback = highlights })
  require("codegemma.ghost").enable()
  require("codegemma.rest").enable()
  keys(config.current.keys)
  M.set_auto(config.current.auto)
  server.attach_all()
end

--- Has Neovim's own ghost text shown in a buffer, or not, as the settings say. What other servers offer is left alone.
function M.set_native(buffer)
  local config = require("codegemma.config")
  local native = config.native()
  if native then
    native.enable(config.current.auto and config.wanted(buffer), { bufnr = buffer })
  end
end

--- Suggests while typing, or only when asked.
function M.set_auto(auto)
  require("codegemma.config").current.auto = auto
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if require("codegemma.server").client(buffer) then
      M.set_native(buffer)
    end
  end
end

--- The state in a few words, for statuslines.
function M.status()
  local status = require("codegemma.server").status
  local signs = { Normal = "", Inactive = "(off) ", Warning = "(!) ", Error = "(x) " }
  return "CodeGemma " .. (signs[status.kind] or "") .. (status.busy and "…" or "")
end

return M
