--- The chat: a split with the conversation as Markdown, answers streamed into it, and a line to ask on.
local config = require("codegemma.config")
local server = require("codegemma.server")

local M = {}

local NAME = "codegemma://chat"
--- `about` is what the next question is about: { buffer, first, last }, lines from 0; `beside` what commands are.
local state = { buffer = nil, conversation = nil, cancel = nil, token = 0, about = nil, beside = nil }

--- The chat's buffer.
local function buffer()
  if not state.buffer or not vim.api.nvim_buf_is_loaded(state.buffer) then
    if state.buffer and vim.api.nvim_buf_is_valid(state.buffer) then
      vim.api.nvim_buf_delete(state.buffer, { force = true })
    end
    state.buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(state.buffer, NAME)
    vim.bo[state.buffer].filetype = "codegemma-chat"
    vim.bo[state.buffer].bufhidden = "hide"
    vim.bo[state.buffer].modifiable = false
    pcall(vim.treesitter.start, state.buffer, "markdown")
    local function map(key, action, description)
      vim.keymap.set("n", key, action, { buffer = state.buffer, silent = true, desc = "CodeGemma: " .. description })
    end
    map("<CR>", M.prompt, "ask")
    map("i", M.prompt, "ask")
    map("<C-c>", M.stop, "stop the answer")
    map("q", "<Cmd>close<CR>", "close the chat")
    map("<C-n>", M.new, "a new conversation")
    map("yc", M.copy_code, "copy the code block under the cursor")
    map("ac", M.apply_code, "put the code block under the cursor into the file")
  end
  return state.buffer
end

--- The chat's buffer; nil where there is none.
function M.buffer()
  return state.buffer
end

--- A selection as one would write it.
local function described(about)
  local name = vim.fs.basename(vim.api.nvim_buf_get_name(about.buffer))
  return ("%s:%d-%d"):format(name, about.first + 1, about.last + 1):gsub("%%", "%%%%")
end

--- What the bar says, in order, and beside each piece when it is left out in a narrow window: the greatest first.
local BAR = {
  { "CodeGemma chat", 4 },
  { "<CR> ask", 0 },
  { "<C-c> stop", 1 },
  { "<C-n> new", 3 },
  { "q close", 2 },
}

--- The pieces of the bar that fit into a width, beside what the next question is about.
local function bar(width)
  local pieces = vim.deepcopy(BAR)
  if state.about then
    table.insert(pieces, { "about " .. described(state.about), 0 })
  end
  local function text()
    return " " .. vim.iter(pieces):map(function(piece)
      return piece[1]
    end):join("  ")
  end
  for step = 4, 1, -1 do
    if vim.fn.strdisplaywidth((text():gsub("%%%%", "%%"))) > width then
      pieces = vim.tbl_filter(function(piece)
        return piece[2] ~= step
      end, pieces)
    end
  end
  return text()
end

local function draw_bar()
  for _, window in ipairs(state.buffer and vim.fn.win_findbuf(state.buffer) or {}) do
    vim.wo[window][0].winbar = bar(vim.api.nvim_win_get_width(window))
  end
end

vim.api.nvim_create_autocmd({ "WinResized", "VimResized" }, {
  group = vim.api.nvim_create_augroup("codegemma-chat", {}),
  callback = draw_bar,
})

--- Whether a buffer is the one that Neovim starts with.
local function is_blank(buffer)
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, 2, false)
  return vim.api.nvim_buf_get_name(buffer) == "" and #lines <= 1 and (lines[1] or "") == ""
end

--- The lines of the window beside the chat: what a command is about where nothing was selected.
local function beside()
  local window = vim.fn.win_getid(vim.fn.winnr("#"))
  local other = window ~= 0 and vim.api.nvim_win_get_buf(window) or state.buffer
  if other == state.buffer or vim.bo[other].buftype ~= "" or is_blank(other) then
    return nil
  end
  local row = vim.api.nvim_win_get_cursor(window)[1] - 1
  return { buffer = other, first = row, last = row, empty = true }
end

--- Opens the chat's window, or goes to it. `about` is what the next question is about: { buffer, first, last }.
function M.open(about)
  state.about = about or state.about
  if state.about and not vim.api.nvim_buf_is_loaded(state.about.buffer) then
    state.about = nil
  end
  local own = buffer()
  local window = vim.fn.bufwinid(own)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
    draw_bar()
    return
  end
  vim.cmd(("%s %dsplit"):format(config.current.chat.split, config.current.chat.width))
  vim.api.nvim_win_set_buf(0, own)
  local own_window = vim.wo[vim.api.nvim_get_current_win()][0] -- for this buffer in it only
  own_window.wrap, own_window.linebreak, own_window.number = true, true, false
  own_window.relativenumber, own_window.signcolumn = false, "no"
  draw_bar()
end

--- Adds text at the end; windows whose cursor is on the last line follow it.
local function append(text)
  local own = buffer()
  local count = vim.api.nvim_buf_line_count(own)
  local last = vim.api.nvim_buf_get_lines(own, -2, -1, false)[1]
  vim.bo[own].modifiable = true
  vim.api.nvim_buf_set_text(own, count - 1, #last, count - 1, #last, vim.split(text, "\n"))
  vim.bo[own].modifiable = false
  for _, window in ipairs(vim.fn.win_findbuf(own)) do
    if vim.api.nvim_win_get_cursor(window)[1] >= count then
      vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(own), 0 })
    end
  end
end

--- All that is in the chat, for tests.
function M.text()
  return table.concat(vim.api.nvim_buf_get_lines(buffer(), 0, -1, false), "\n")
end

function M.busy()
  return state.cancel ~= nil
end

--- What a question is sent with: of commands the lines that they are about, of others those that were selected.
local function parameters(text, token, about)
  local is_command = vim.startswith(vim.trim(text), "/")
  local params = { text = text, conversationId = state.conversation, partialResultToken = token, references = {} }
  return function(client)
    if about and vim.api.nvim_buf_is_loaded(about.buffer) then
      local range = require("codegemma.edit").range(client, about)
      params.selection = { uri = vim.uri_from_bufnr(about.buffer), range = range }
      params.references = is_command and {} or { params.selection }
    end
    return params
  end
end

--- Slash commands that are about code.
local ABOUT_CODE = { explain = true, fix = true, doc = true, tests = true, edit = true }

--- Asks something.
function M.ask(text)
  M.open()
  if state.cancel then
    vim.notify("codegemma: an answer is being written; stop it first", vim.log.levels.WARN)
    return
  end
  state.token = state.token + 1
  local token = "codegemma-chat-" .. state.token
  local empty = vim.api.nvim_buf_line_count(buffer()) == 1 and M.text() == ""
  append((empty and "" or "\n\n") .. "## " .. text:gsub("\n", " ") .. "\n\n")
  local about = state.about or (vim.startswith(vim.trim(text), "/") and (beside() or state.beside) or nil)
  about = about and not is_blank(about.buffer) and about or nil
  local asked = about and { buffer = about.buffer, version = require("codegemma.edit").version(about.buffer) }
  state.about, state.beside = nil, nil
  draw_bar()
  local command = text:match("^%s*/(%a+)")
  if not about and command and ABOUT_CODE[command:lower()] then
    append(("> /%s is about code: open a file beside the chat, or select lines and begin with"):format(command))
    append(" `:'<,'>CodeGemma chat`")
    return
  end
  local params = parameters(text, token, about)
  local said = ""
  state.said = function(message)
    if message.token == token then
      said = said .. message.value.text
      append(message.value.text)
    end
  end
  state.cancel = server.request(about and about.buffer, "codegemma/chat", params, function(result, problem)
    state.cancel, state.said = nil, nil
    if problem then
      state.conversation = not problem:match("not known") and state.conversation or nil
      append((said == "" and "" or "\n\n") .. "> " .. problem)
      return
    end
    state.conversation = result.conversationId
    if result.edit then
      append("\n\n> " .. result.edit.label .. ": see the preview")
    elseif vim.startswith(result.text, said) then
      append(result.text:sub(#said + 1))
    end
    if result.note and result.note ~= "" then
      append("\n\n> " .. result.note)
    end
    if result.edit then
      require("codegemma.edit").preview(result.edit, asked)
    end
  end)
end

server.on("text", function(message)
  if state.said then
    state.said(message)
  end
end)

--- Ends the answer that is being written. Whether there was one.
function M.stop()
  if not state.cancel then
    return false
  end
  state.cancel()
  state.cancel, state.said = nil, nil
  append("\n\n> stopped")
  return true
end

--- Begins a new conversation; the old one is forgotten.
function M.new()
  M.stop()
  if state.conversation then
    server.request(nil, "codegemma/forgetConversation", { conversationId = state.conversation }, function() end)
  end
  state.conversation, state.about = nil, nil
  local own = buffer()
  vim.bo[own].modifiable = true
  vim.api.nvim_buf_set_lines(own, 0, -1, false, {})
  vim.bo[own].modifiable = false
end

function M.prompt()
  state.beside = beside() -- the question may be asked for in a window of its own
  vim.ui.input({ prompt = "CodeGemma: " }, function(text)
    if text and vim.trim(text) ~= "" then
      M.ask(text)
    end
  end)
end

--- The lines of the fenced block around the cursor; nil where there is none.
local function code_block()
  local at, first = vim.api.nvim_win_get_cursor(0)[1], nil
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
  for i, line in ipairs(lines) do
    if line:match("^%s*```") then
      if not first then
        first = i
      elseif at >= first and at <= i then
        return vim.list_slice(lines, first + 1, i - 1)
      else
        first = nil
      end
    end
  end
  vim.notify("codegemma: there is no code block under the cursor", vim.log.levels.WARN)
end

--- Copies the fenced block around the cursor to the unnamed register.
function M.copy_code()
  local code = code_block()
  if code then
    vim.fn.setreg('"', table.concat(code, "\n") .. "\n", "l")
    vim.notify(("codegemma: %d lines copied"):format(#code))
  end
end

--- Previews what puts the fenced block around the cursor into the file beside the chat.
function M.apply_code()
  local code, about = code_block(), beside()
  if code and not about then
    vim.notify("codegemma: open the file that the code belongs to beside the chat", vim.log.levels.WARN)
  elseif code then
    require("codegemma.edit").apply(about, table.concat(code, "\n"))
  end
end

return M
