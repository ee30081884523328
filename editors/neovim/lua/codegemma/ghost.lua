--- Ghost text: asked for while typing, shown behind the cursor, accepted whole, by line or by word. One at a time.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local server = require("codegemma.server")

local M = {}

local space = vim.api.nvim_create_namespace("codegemma-ghost")
local METHOD = "textDocument/inlineCompletion"
local INVOKED, AUTOMATIC = 1, 2

--- What is shown: buffer, row and column (bytes, from 0) of the cursor, the text that is left to accept, the bytes after
--- the cursor that it replaces, all that stood after the cursor then, the items, which of them it is, and the column and
--- the changedtick for which they were asked.
local shown = nil
local cancel = function() end
--- The buffer in which what was asked for by hand stands in the place of Neovim's own ghost text.
local by_hand = nil

local function cursor()
  local position = vim.api.nvim_win_get_cursor(0)
  return position[1] - 1, position[2]
end

local function clear()
  if shown and vim.api.nvim_buf_is_valid(shown.buffer) then
    vim.api.nvim_buf_clear_namespace(shown.buffer, space, 0, -1)
  end
end

--- Whether a completion menu is open: Neovim's own, or one of the plugins that draw theirs.
local function menu_open()
  local cmp, blink = package.loaded["cmp"], package.loaded["blink.cmp"]
  return vim.fn.pumvisible() == 1 or (cmp and cmp.visible()) or (blink and blink.is_visible()) or false
end

--- Draws what is left of the suggestion. A tail that is there already after the cursor is not drawn again.
local function draw()
  clear()
  if menu_open() then
    return
  end
  local lines = vim.split(shown.text, "\n")
  local line = vim.api.nvim_buf_get_lines(shown.buffer, shown.row, shown.row + 1, false)[1] or ""
  local replaced = line:sub(shown.column + 1, shown.column + shown.replaces)
  local last = lines[#lines]
  if #lines == 1 and replaced ~= "" and vim.endswith(last, replaced) then
    lines[1] = last:sub(1, #last - #replaced)
  end
  local below = {}
  for i = 2, #lines do
    table.insert(below, { { lines[i]:gsub("\t", (" "):rep(vim.bo[shown.buffer].tabstop)), "CodeGemmaGhost" } })
  end
  vim.api.nvim_buf_set_extmark(shown.buffer, space, shown.row, shown.column, {
    virt_text = lines[1] ~= "" and { { lines[1], "CodeGemmaGhost" } } or nil,
    virt_text_pos = "inline",
    virt_lines = #below > 0 and below or nil,
    hl_mode = "combine",
    undo_restore = false,
    strict = false,
  })
end

function M.dismiss()
  cancel()
  clear()
  shown = nil
end

--- Hides what the user does not want, and tells the server, which does not show it there again.
function M.reject()
  local item = shown and shown.items[shown.index]
  if item and item.command then
    compat.call(shown.client, "notify", "codegemma/didDismiss", { itemId = item.command.arguments[1] })
  end
  M.dismiss()
end

--- Whether the text is still as it was when this was shown: else what it replaces may be something else.
local function matches()
  if not shown or shown.buffer ~= vim.api.nvim_get_current_buf() then
    return false
  end
  local row, column = cursor()
  return row == shown.row and column == shown.column and vim.api.nvim_get_current_line():sub(column + 1) == shown.tail
end

function M.visible()
  return not menu_open() and matches()
end

--- What is shown, for tests and statuslines; nil where nothing is.
function M.text()
  return M.visible() and shown.text or nil
end

--- How many there are to choose from.
function M.count()
  return M.visible() and #shown.items or 0
end

local function offset_of(client, buffer, position)
  local line = vim.api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1] or ""
  return compat.byte(line, client.offset_encoding, position.character)
end

--- Draws an item at the cursor, if it still belongs there; else dismisses what is shown.
local function place(client, buffer, items, index, asked)
  local item, row, column = items[index], cursor()
  local start, finish = offset_of(client, buffer, item.range.start), offset_of(client, buffer, item.range["end"])
  local text = type(item.insertText) == "table" and item.insertText.value or item.insertText
  text = text:gsub("\r\n", "\n") -- a buffer's lines have no ends
  local line = vim.api.nvim_get_current_line()
  local typed = line:sub(start + 1, column)
  if item.range.start.line ~= row or start > column or not vim.startswith(text, typed) then
    return M.dismiss()
  end
  shown = {
    buffer = buffer,
    row = row,
    column = column,
    text = text:sub(#typed + 1),
    replaces = math.max(0, finish - asked),
    tail = line:sub(column + 1),
    items = items,
    index = index,
    asked = asked,
    tick = vim.api.nvim_buf_get_changedtick(buffer),
    client = client,
  }
  if shown.text == "" then
    return M.dismiss()
  end
  draw()
end

local function show(client, buffer, items, index, asked)
  place(client, buffer, items, index, asked)
  if shown then
    compat.call(client, "notify", "textDocument/didShowCompletion", { item = items[index] })
  end
end

--- Draws more of what is shown, as the model writes it. Text that has changed since then has been asked for again, and
--- what was dismissed stays away.
server.on("grew", function(params, client_id)
  local at = shown
  if not at or at.client.id ~= client_id or at.tick ~= vim.api.nvim_buf_get_changedtick(at.buffer) then
    return
  end
  local item, document = at.items[at.index], params.textDocument
  local is_shown = item.command and item.command.arguments[1] == params.itemId
  local is_now = vim.lsp.util.buf_versions[at.buffer] == document.version
  if is_shown and is_now and document.uri == vim.uri_from_bufnr(at.buffer) and matches() then
    item.insertText = params.text
    place(at.client, at.buffer, at.items, at.index, at.asked)
  end
end)

--- Asks for a suggestion at the cursor.
function M.ask(invoked)
  cancel()
  local buffer = vim.api.nvim_get_current_buf()
  local client = server.client(buffer)
  if not client or vim.fn.mode():sub(1, 1) ~= "i" or not config.wanted(buffer) then
    return
  end
  local native = config.native()
  if native and invoked then
    native.enable(false, { bufnr = buffer }) -- one of the two is shown; until insert mode is left
    by_hand = buffer
  end
  local row, column = cursor()
  local tick = vim.api.nvim_buf_get_changedtick(buffer)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = invoked and INVOKED or AUTOMATIC }
  cancel = server.request(buffer, METHOD, params, function(result)
    local now_row, now_column = cursor()
    local same = vim.api.nvim_get_current_buf() == buffer and now_row == row and now_column == column
    if not same or vim.api.nvim_buf_get_changedtick(buffer) ~= tick or vim.fn.mode():sub(1, 1) ~= "i" then
      return
    end
    local items = result and (result.items or result) or {}
    if #items == 0 then
      return M.dismiss()
    end
    show(client, buffer, items, 1, column)
  end)
end

--- Asks without being told to, where that is wanted and Neovim does not do it.
function M.ask_again()
  if config.current.auto and not config.native() then
    M.ask(false)
  end
end

--- Keeps what is shown while it is typed, so that it does not flicker until the server answers.
local function typed_on()
  local row, column = cursor()
  if not shown or shown.buffer ~= vim.api.nvim_get_current_buf() or row ~= shown.row or column < shown.column then
    return false
  end
  local line = vim.api.nvim_get_current_line()
  if line:sub(column + 1) ~= shown.tail then
    return false
  end
  local typed = line:sub(shown.column + 1, column)
  if typed == "" or not vim.startswith(shown.text, typed) or #typed == #shown.text then
    return typed == "" and column == shown.column
  end
  shown.text, shown.column = shown.text:sub(#typed + 1), column
  draw()
  return true
end

local function on_change()
  if not typed_on() then
    M.dismiss()
  end
  M.ask_again()
end

local function on_move()
  local row, column = cursor()
  if shown and (row ~= shown.row or column ~= shown.column) and not typed_on() then
    M.dismiss()
  end
end

--- Inserts bytes of what is shown behind the cursor, and with the last of them replaces what they bring themselves.
local function insert(text, whole)
  local at = shown
  local row, column = at.row, at.column
  local lines = vim.split(text, "\n")
  vim.api.nvim_buf_set_text(at.buffer, row, column, row, column + (whole and at.replaces or 0), lines)
  local end_row = row + #lines - 1
  local end_column = #lines == 1 and column + #text or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { end_row + 1, end_column })
  at.row, at.column, at.text = end_row, end_column, at.text:sub(#text + 1)
  at.tail = vim.api.nvim_get_current_line():sub(end_column + 1)
end

--- Accepts what is shown: "all", "line" or "word". Whether there was something.
function M.accept(much)
  if not M.visible() then
    return false
  end
  local at, text = shown, shown.text
  if much == "word" then
    text = text:match("^%s*[%w_]+") or text:match("^%s*[^%w%s]+") or text
  elseif much == "line" then
    text = text:match("^\n?[^\n]*\n?") or text
  end
  local item = at.items[at.index]
  cancel()
  clear()
  local whole = text == at.text
  insert(text, whole)
  if whole then
    shown = nil
    if item.command then
      compat.exec(at.client, item.command, at.buffer)
    end
  else
    -- Counted from the start of the item's text, as in Copilot's server.
    local all = type(item.insertText) == "table" and item.insertText.value or item.insertText
    local left = compat.length(at.text, "utf-16")
    local params = { item = item, acceptedLength = compat.length(all:gsub("\r\n", "\n"), "utf-16") - left }
    compat.call(at.client, "notify", "textDocument/didPartiallyAcceptCompletion", params)
    draw()
  end
  return true
end

--- Shows another of the suggestions; asks for some where only one is known.
function M.cycle(step)
  if not shown or #shown.items < 2 then
    return M.ask(true)
  end
  local at = shown
  local index = (at.index - 1 + step) % #at.items + 1
  clear()
  show(at.client, at.buffer, at.items, index, at.asked)
end

local function redraw()
  if shown then
    draw()
  end
end

local watches_cmp = false

--- nvim-cmp tells of its menu by callbacks; it may be loaded late.
local function watch_cmp()
  local cmp = package.loaded["cmp"]
  if cmp and not watches_cmp then
    watches_cmp = true
    cmp.event:on("menu_opened", clear)
    cmp.event:on("menu_closed", redraw)
  end
end

function M.enable()
  local group = vim.api.nvim_create_augroup("codegemma-ghost", {})
  local function on(events, callback, pattern)
    vim.api.nvim_create_autocmd(events, { group = group, pattern = pattern, callback = callback })
  end
  on({ "TextChangedI", "TextChangedP" }, on_change)
  on("InsertEnter", function()
    watch_cmp()
    vim.schedule(M.ask_again)
  end)
  -- What was typed while the server started is asked for once it can be.
  on("LspAttach", function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == "codegemma" and event.buf == vim.api.nvim_get_current_buf() then
      vim.schedule(M.ask_again)
    end
  end)
  on("CursorMovedI", on_move)
  on("CompleteChanged", clear)
  on("CompleteDone", redraw)
  on("User", clear, "BlinkCmpMenuOpen")
  on("User", redraw, "BlinkCmpMenuClose")
  on("BufLeave", M.dismiss)
  -- Not InsertLeave: CTRL-C leaves insert mode without it.
  on("ModeChanged", function()
    M.dismiss()
    if by_hand and vim.api.nvim_buf_is_valid(by_hand) then
      require("codegemma").set_native(by_hand)
    end
    by_hand = nil
  end, "i*:[^i]*")
end

return M
