--- Edits: asked for, previewed in the buffer, accepted or discarded. Nothing is changed before it is accepted.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local server = require("codegemma.server")

local M = {}

local space = vim.api.nvim_create_namespace("codegemma-edit")
local cancel, token = nil, 0
local streaming = nil
local pending = nil

--- What the keys were mapped to in the buffer before an edit was previewed in it.
local mapped = {}

local function unmap(buffer)
  for key, before in pairs(mapped) do
    pcall(vim.keymap.del, "n", key, { buffer = buffer })
    if before.buffer == 1 then
      vim.api.nvim_buf_call(buffer, function()
        vim.fn.mapset(before)
      end)
    end
  end
  mapped = {}
end

--- Changes with the text, and not when it is written.
local function version(buffer)
  return vim.lsp.util.buf_versions[buffer] or vim.api.nvim_buf_get_changedtick(buffer)
end

local function clear(buffer)
  if buffer and vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, space, 0, -1)
    unmap(buffer)
  end
end

--- Draws new lines below a range, whose own lines are shown as removed.
local function draw(buffer, first, last, text)
  if not vim.api.nvim_buf_is_loaded(buffer) then
    return
  end
  vim.api.nvim_buf_clear_namespace(buffer, space, 0, -1)
  local below = {}
  for _, line in ipairs(vim.split(text:gsub("\r\n", "\n"), "\n")) do
    local shown = line:gsub("\t", (" "):rep(vim.bo[buffer].tabstop))
    table.insert(below, { { shown .. " ", "CodeGemmaAdded" } })
  end
  for row = first, last do
    vim.api.nvim_buf_set_extmark(buffer, space, row, 0, { line_hl_group = "CodeGemmaRemoved", strict = false })
  end
  vim.api.nvim_buf_set_extmark(buffer, space, math.max(first, last), 0, { virt_lines = below, strict = false })
end

--- Whether an edit waits to be accepted or discarded.
function M.pending()
  return pending ~= nil
end

--- Shows a proposal of the server in the file's buffer, which is opened where it is not.
function M.preview(proposal)
  M.discard(true)
  local buffer = vim.uri_to_bufnr(proposal.uri)
  vim.fn.bufload(buffer)
  if vim.fn.bufwinid(buffer) == -1 then
    vim.cmd("botright split")
    vim.api.nvim_win_set_buf(0, buffer)
  end
  vim.bo[buffer].buflisted = true
  local first, last = proposal.range.start.line, proposal.range["end"].line
  local inserted = first == last and proposal.range.start.character == proposal.range["end"].character
  draw(buffer, first, inserted and first - 1 or last, proposal.text)
  pending = { buffer = buffer, proposal = proposal, tick = version(buffer) }
  local function map(key, action, description)
    if key then
      mapped[key] = vim.api.nvim_buf_call(buffer, function()
        return vim.fn.maparg(key, "n", false, true)
      end)
      vim.keymap.set("n", key, action, { buffer = buffer, nowait = true, silent = true, desc = "CodeGemma: " .. description })
    end
  end
  map(config.current.keys.accept_edit, M.accept, "accept the edit")
  map(config.current.keys.discard_edit, M.discard, "discard the edit")
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI" }, {
    buffer = buffer,
    callback = function()
      if not pending or pending.buffer ~= buffer then
        return true
      end
      if version(buffer) ~= pending.tick then
        M.discard(true)
        vim.notify("codegemma: the text changed, so the edit was discarded", vim.log.levels.WARN)
        return true
      end
    end,
  })
  vim.notify(("codegemma: %s: %s accepts, %s discards"):format(
    proposal.label,
    config.current.keys.accept_edit or ":CodeGemma accept",
    config.current.keys.discard_edit or ":CodeGemma discard"
  ))
end

--- Makes the edit that is shown.
function M.accept()
  if not pending then
    vim.notify("codegemma: there is no edit to accept", vim.log.levels.WARN)
    return
  end
  local at = pending
  pending = nil
  clear(at.buffer)
  if not vim.api.nvim_buf_is_loaded(at.buffer) or version(at.buffer) ~= at.tick then
    vim.notify("codegemma: the text changed, so the edit was not made; ask again", vim.log.levels.WARN)
    return
  end
  local client = server.client(at.buffer) or server.client()
  vim.lsp.util.apply_workspace_edit(at.proposal.edit, client and client.offset_encoding or "utf-16")
end

--- Leaves everything as it is.
function M.discard(quietly)
  if cancel then
    cancel()
    cancel = nil
  end
  if streaming then
    clear(streaming.buffer)
    streaming = nil
  end
  if pending then
    clear(pending.buffer)
    pending = nil
  elseif quietly ~= true then
    vim.notify("codegemma: there is no edit to discard", vim.log.levels.WARN)
  end
end

--- Asks for an edit of a range of lines (from 0, last included): "edit" with an instruction, "fix", "doc" or "tests".
function M.ask(action, buffer, first, last, instruction)
  M.discard(true)
  buffer = buffer == 0 and vim.api.nvim_get_current_buf() or buffer
  local range = M.lines_range(buffer, first, last)
  local diagnostics = {}
  for _, found in ipairs(action == "fix" and vim.diagnostic.get(buffer) or {}) do
    if found.lnum <= last and (found.end_lnum or found.lnum) >= first then
      table.insert(diagnostics, found.message)
    end
  end
  token = token + 1
  local params = {
    uri = vim.uri_from_bufnr(buffer),
    range = range,
    version = vim.lsp.util.buf_versions[buffer],
    action = action,
    instruction = instruction or "",
    diagnostics = #diagnostics > 0 and diagnostics or nil,
    partialResultToken = "codegemma-edit-" .. token,
  }
  streaming = { buffer = buffer, token = params.partialResultToken, text = "", first = first, last = last }
  cancel = server.request(buffer, "codegemma/edit", params, function(result, problem)
    cancel = nil
    if streaming then
      clear(streaming.buffer)
      streaming = nil
    end
    if problem then
      vim.notify("codegemma: " .. problem, vim.log.levels.WARN)
    else
      M.preview(result)
    end
  end)
end

--- What is written while an edit is made is shown below the lines that it is for.
server.on("text", function(message)
  if streaming and message.token == streaming.token then
    streaming.text = streaming.text .. message.value.text
    draw(streaming.buffer, streaming.last, streaming.last - 1, streaming.text)
  end
end)

function M.busy()
  return cancel ~= nil
end

--- The range of whole lines in the server's encoding.
function M.lines_range(buffer, first, last)
  local client = server.client(buffer) or server.client()
  local line = vim.api.nvim_buf_get_lines(buffer, last, last + 1, false)[1] or ""
  local encoding = client and client.offset_encoding or "utf-16"
  return {
    start = { line = first, character = 0 },
    ["end"] = { line = last, character = compat.length(line, encoding) },
  }
end

return M
