--- CodeGemma in Neovim: completion as ghost text, chat and edits, over the language server codegemma-lsp.
local M = {
  --- What keys were mapped to before, where that was a function.
  fallbacks = {},
}

local function highlights()
  local link = { CodeGemmaGhost = "Comment", CodeGemmaAdded = "DiffAdd", CodeGemmaRemoved = "DiffDelete" }
  for name, target in pairs(link) do
    vim.api.nvim_set_hl(0, name, { link = target, default = true })
  end
end

--- What a key does where nothing of ours is shown: what it was mapped to before, else what it is.
local function fallback(key, mode)
  local before = vim.fn.maparg(key, mode, false, true)
  if before.buffer == 1 or (before.desc or ""):match("^CodeGemma") then
    before = {} -- of one buffer, or our own of an earlier setup
  end
  if before.callback and before.expr == 1 then
    return before.callback
  elseif before.callback then
    -- It may change text, which an expression may not.
    M.fallbacks[key] = before.callback
    return function()
      return ("<Cmd>lua require('codegemma').fallbacks[%q]()<CR>"):format(key:gsub("<", "<lt>"))
    end
  elseif before.rhs then
    local rhs = before.rhs:gsub("<SID>", ("<SNR>%d_"):format(before.sid or 0))
    return function()
      return before.expr == 1 and vim.api.nvim_eval(rhs) or rhs
    end
  end
  return function()
    return key
  end
end

--- Maps a key of insert mode to what it does while ghost text is shown; `natively` is asked while Neovim shows its own.
local function map_insert(key, action, description, natively)
  if not key then
    return
  end
  local otherwise = fallback(key, "i")
  vim.keymap.set("i", key, function()
    if not require("codegemma.ghost").visible() then
      local native = require("codegemma.config").native()
      return native and natively and natively(native) and "" or otherwise()
    end
    -- Text may not be changed while a mapping is evaluated; what is typed next must come after.
    return ("<C-g>u<Cmd>lua %s<CR>"):format(action)
  end, { expr = true, replace_keycodes = true, silent = true, desc = "CodeGemma: " .. description })
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
  map_insert(own.dismiss, "require('codegemma.ghost').dismiss()", "dismiss the suggestion")
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
  vim.api.nvim_create_autocmd("ColorScheme", { group = group, callback = highlights })
  require("codegemma.ghost").enable()
  keys(config.current.keys)
  M.set_auto(config.current.auto)
  server.attach_all()
end

--- Suggests while typing, or only when asked.
function M.set_auto(auto)
  local config = require("codegemma.config")
  config.current.auto = auto
  local native = config.native()
  if native then
    native.enable(auto)
  end
end

--- The state in a few words, for statuslines.
function M.status()
  local status = require("codegemma.server").status
  local signs = { Normal = "", Inactive = "(off) ", Warning = "(!) ", Error = "(x) " }
  return "CodeGemma " .. (signs[status.kind] or "") .. (status.busy and "…" or "")
end

return M
