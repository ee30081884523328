--- Edits: asked for, previewed in the buffer, accepted or discarded. Nothing is changed before it is accepted.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local server = require("codegemma.server")

local M = {}

local space = vim.api.nvim_create_namespace("codegemma-edit")
local group = vim.api.nvim_create_augroup("codegemma-edit", {})
--- What is being written: { buffer, row, token, text, cancel }.
local streaming, token = nil, 0
--- What is previewed: { buffer, proposal, encoding, tick, mapped, creates }.
local pending = nil

--- Changes with the text, and not when it is written.
local function version(buffer)
  return vim.lsp.util.buf_versions[buffer] or vim.api.nvim_buf_get_changedtick(buffer)
end

--- Maps the keys that decide in the buffer of a preview; what they were mapped to in it comes back afterwards.
local function map(buffer)
  local mapped = {}
  for key, action in pairs({ accept_edit = M.accept, discard_edit = M.discard }) do
    local lhs = config.current.keys[key]
    if lhs then
      mapped[lhs] = vim.api.nvim_buf_call(buffer, function()
        return vim.fn.maparg(lhs, "n", false, true)
      end)
      local description = "CodeGemma: " .. key:gsub("_", " the ")
      vim.keymap.set("n", lhs, action, { buffer = buffer, nowait = true, silent = true, desc = description })
    end
  end
  return mapped
end

local function unmap(buffer, mapped)
  for key, before in pairs(mapped) do
    pcall(vim.keymap.del, "n", key, { buffer = buffer })
    if before.buffer == 1 then
      vim.api.nvim_buf_call(buffer, function()
        vim.fn.mapset(before)
      end)
    end
  end
end

local function erase(buffer)
  if vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, space, 0, -1)
  end
end

--- Draws lines below a row, or above the first where the row is -1.
local function draw_below(buffer, row, lines)
  local below = {}
  for _, line in ipairs(lines) do
    local shown = line:gsub("\t", (" "):rep(vim.bo[buffer].tabstop))
    table.insert(below, { { shown .. " ", "CodeGemmaAdded" } })
  end
  local mark = { virt_lines = below, virt_lines_above = row < 0, strict = false }
  vim.api.nvim_buf_set_extmark(buffer, space, math.max(row, 0), 0, mark)
  if row < 0 then
    -- Lines above the first are not scrolled to by themselves.
    for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
      vim.api.nvim_win_call(window, function()
        vim.fn.winrestview({ topline = 1, topfill = #below })
      end)
    end
  end
end

--- The lines that a proposal touches, as they are and as they would be, both with the ends of their lines.
local function compared(buffer, proposal, encoding)
  local first, last = proposal.range.start, proposal.range["end"]
  local lines = vim.api.nvim_buf_get_lines(buffer, first.line, last.line + 1, false)
  local text = proposal.text:gsub("\r\n", "\n")
  local head = lines[1] and lines[1]:sub(1, compat.byte(lines[1], encoding, first.character)) or ""
  local old, new = table.concat(lines, "\n") .. (#lines > 0 and "\n" or ""), head .. text
  if #lines > last.line - first.line then
    new = new .. lines[#lines]:sub(compat.byte(lines[#lines], encoding, last.character) + 1) .. "\n"
  elseif new ~= "" and not vim.endswith(new, "\n") then
    new = new .. "\n" -- up to the end of the file
  end
  return old, new
end

--- Draws a proposal: lines that would go as removed, those that would come below them.
local function draw(buffer, proposal, encoding)
  local old, new = compared(buffer, proposal, encoding)
  local lines = vim.split(new, "\n")
  for _, hunk in ipairs(compat.hunks(old, new)) do
    local row, removed, from, added = hunk[1] - 1, hunk[2], hunk[3], hunk[4]
    row = proposal.range.start.line + row
    for at = row, row + removed - 1 do
      vim.api.nvim_buf_set_extmark(buffer, space, at, 0, { line_hl_group = "CodeGemmaRemoved", strict = false })
    end
    if added > 0 then
      local last = vim.api.nvim_buf_line_count(buffer) - 1
      draw_below(buffer, math.min(last, row + math.max(removed, 1) - 1), vim.list_slice(lines, from, from + added - 1))
    end
  end
end

--- Whether an edit waits to be accepted or discarded.
function M.pending()
  return pending ~= nil
end

--- Whether an edit is being written.
function M.busy()
  return streaming ~= nil
end

--- The lines of a text that is to be a file, or its end.
local function new_lines(text)
  return vim.split((text:gsub("\r\n", "\n"):gsub("\n$", "")), "\n")
end

local function text_edits(proposal)
  local found = vim.list_extend({}, (proposal.edit.changes or {})[proposal.uri] or {})
  for _, change in ipairs(proposal.edit.documentChanges or {}) do
    vim.list_extend(found, change.edits or {})
  end
  return found
end

--- A buffer that shows a file which is not there yet.
local function new_file(proposal)
  local buffer = vim.api.nvim_create_buf(false, true)
  local path = vim.uri_to_fname(proposal.uri)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, new_lines(proposal.text))
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].filetype = vim.filetype.match({ filename = path }) or ""
  vim.api.nvim_buf_set_name(buffer, "codegemma://new/" .. vim.fs.basename(path))
  for row = 0, vim.api.nvim_buf_line_count(buffer) - 1 do
    vim.api.nvim_buf_set_extmark(buffer, space, row, 0, { line_hl_group = "CodeGemmaAdded" })
  end
  return buffer
end

local function is_created(proposal)
  return vim.iter(proposal.edit.documentChanges or {}):any(function(change)
    return change.kind == "create"
  end)
end

local function show_buffer(buffer)
  if vim.fn.bufwinid(buffer) == -1 then
    vim.cmd("botright split")
    vim.api.nvim_win_set_buf(0, buffer)
  end
end

--- Leaves a preview: what was drawn and mapped goes, and so does the buffer of a new file.
local function leave()
  local at = pending
  pending = nil
  vim.api.nvim_clear_autocmds({ group = group })
  if at.creates then
    pcall(vim.api.nvim_buf_delete, at.buffer, { force = true })
  elseif vim.api.nvim_buf_is_valid(at.buffer) then
    erase(at.buffer)
    unmap(at.buffer, at.mapped)
  end
end

--- The text is watched while an edit of it is shown.
local function watch(buffer)
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI", "BufWipeout" }, {
    group = group,
    buffer = buffer,
    callback = function(event)
      if pending and (event.event == "BufWipeout" or version(buffer) ~= pending.tick) then
        leave()
        vim.notify("codegemma: the text changed, so the edit was discarded", vim.log.levels.WARN)
      end
    end,
  })
end

--- Shows a proposal of the server in the file's buffer, which is opened where it is not.
function M.preview(proposal)
  M.discard(true)
  local creates = is_created(proposal)
  local buffer = creates and new_file(proposal) or vim.uri_to_bufnr(proposal.uri)
  vim.fn.bufload(buffer)
  show_buffer(buffer)
  local client = server.client()
  local encoding = client and client.offset_encoding or "utf-16"
  if not creates then
    vim.bo[buffer].buflisted = true
    draw(buffer, proposal, encoding)
  end
  pending = { buffer = buffer, proposal = proposal, encoding = encoding, tick = version(buffer), creates = creates }
  pending.mapped = map(buffer)
  watch(buffer)
  vim.notify(("codegemma: %s: %s accepts, %s discards"):format(
    proposal.label,
    config.current.keys.accept_edit or ":CodeGemma accept",
    config.current.keys.discard_edit or ":CodeGemma discard"
  ))
end

--- Makes the edits of a proposal, which the user has accepted: Neovim is not to ask again. What comes behind the last
--- line it would put into it.
local function apply(proposal, encoding)
  local buffer = vim.uri_to_bufnr(proposal.uri)
  local count, edits, appended = vim.api.nvim_buf_line_count(buffer), {}, {}
  for _, edit in ipairs(text_edits(proposal)) do
    if edit.range.start.line >= count then
      vim.list_extend(appended, new_lines(edit.newText))
    else
      table.insert(edits, { range = edit.range, newText = edit.newText })
    end
  end
  vim.lsp.util.apply_text_edits(edits, buffer, encoding)
  vim.api.nvim_buf_set_lines(buffer, -1, -1, false, appended)
end

--- Opens a new file with a proposal's text. Neovim's own way would leave an empty file behind, and empty one that has
--- come to be meanwhile.
local function create(proposal)
  local path = vim.uri_to_fname(proposal.uri)
  vim.fn.mkdir(vim.fs.dirname(path), "p")
  vim.cmd("botright split " .. vim.fn.fnameescape(path))
  vim.api.nvim_buf_set_lines(0, 0, -1, false, new_lines(proposal.text))
end

--- Makes the edit that is shown.
function M.accept()
  if not pending then
    vim.notify("codegemma: there is no edit to accept", vim.log.levels.WARN)
    return
  end
  local at = pending
  local same = vim.api.nvim_buf_is_loaded(at.buffer) and version(at.buffer) == at.tick
  leave()
  if not same or (at.creates and vim.uv.fs_stat(vim.uri_to_fname(at.proposal.uri))) then
    vim.notify("codegemma: the text changed, so the edit was not made; ask again", vim.log.levels.WARN)
  elseif at.creates then
    create(at.proposal)
  else
    apply(at.proposal, at.encoding)
  end
end

--- Leaves everything as it is.
function M.discard(quietly)
  if streaming then
    streaming.cancel()
    erase(streaming.buffer)
    streaming = nil
  elseif pending then
    leave()
  elseif quietly ~= true then
    vim.notify("codegemma: there is no edit to discard", vim.log.levels.WARN)
  end
end

local function diagnostics(buffer, first, last)
  local found = {}
  for _, diagnostic in ipairs(vim.diagnostic.get(buffer)) do
    if diagnostic.lnum <= last and (diagnostic.end_lnum or diagnostic.lnum) >= first then
      table.insert(found, diagnostic.message)
    end
  end
  return #found > 0 and found or nil
end

--- Asks for an edit of a range of lines (from 0, last included): "edit" with an instruction, "fix", "doc" or "tests".
function M.ask(action, buffer, first, last, instruction)
  M.discard(true)
  buffer = buffer == 0 and vim.api.nvim_get_current_buf() or buffer
  token = token + 1
  streaming = { buffer = buffer, token = "codegemma-edit-" .. token, text = "", row = last }
  local function params(client)
    return {
      uri = vim.uri_from_bufnr(buffer),
      range = M.lines_range(client, buffer, first, last),
      version = vim.lsp.util.buf_versions[buffer],
      action = action,
      instruction = instruction or "",
      diagnostics = action == "fix" and diagnostics(buffer, first, last) or nil,
      partialResultToken = streaming.token,
    }
  end
  streaming.cancel = server.request(buffer, "codegemma/edit", params, function(result, problem)
    erase(streaming.buffer)
    streaming = nil
    if problem then
      vim.notify("codegemma: " .. problem, vim.log.levels.WARN)
    else
      M.preview(result)
    end
  end)
end

--- What is written while an edit is made is shown below the lines that it is for.
server.on("text", function(message)
  if streaming and message.token == streaming.token and vim.api.nvim_buf_is_loaded(streaming.buffer) then
    streaming.text = streaming.text .. message.value.text
    erase(streaming.buffer)
    draw_below(streaming.buffer, streaming.row, vim.split(streaming.text, "\n"))
  end
end)

--- The range of whole lines in the server's encoding.
function M.lines_range(client, buffer, first, last)
  local line = vim.api.nvim_buf_get_lines(buffer, last, last + 1, false)[1] or ""
  return {
    start = { line = first, character = 0 },
    ["end"] = { line = last, character = compat.length(line, client.offset_encoding) },
  }
end

return M
