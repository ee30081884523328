--- Edits: asked for, previewed in the buffer, accepted or discarded. Nothing is changed before it is accepted.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local preview = require("codegemma.preview")
local server = require("codegemma.server")

local M = {}

local group = vim.api.nvim_create_augroup("codegemma-edit", {})
--- What is being written: { buffer, row, token, text, cancel }.
local streaming, token = nil, 0
--- What is previewed: { buffer, proposal, encoding, version, mapped, creates }.
local pending = nil

--- The text as it is: what an edit was made for. Counters of changes begin anew when a file is read or written.
function M.version(buffer)
  return vim.fn.sha256(table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n"))
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

--- Whether an edit waits to be accepted or discarded.
function M.pending()
  return pending ~= nil
end

--- Whether an edit is being written.
function M.busy()
  return streaming ~= nil
end

local function is_created(proposal)
  return vim.iter(proposal.edit.documentChanges or {}):any(function(change)
    return change.kind == "create"
  end)
end

--- Shows a buffer, below where it is not shown yet, and goes there unless the user is doing something else.
local function show_buffer(buffer, goes)
  local window = vim.fn.bufwinid(buffer)
  if window == -1 then
    window = vim.api.nvim_open_win(buffer, false, { split = "below", win = -1 })
  end
  if goes then
    vim.api.nvim_set_current_win(window)
  end
end

--- Leaves a preview: what was drawn and mapped goes, and so does the buffer of a new file.
local function leave()
  local at = pending
  pending = nil
  vim.api.nvim_clear_autocmds({ group = group })
  if vim.api.nvim_buf_is_valid(at.buffer) then
    unmap(at.buffer, at.mapped)
  end
  if at.creates then
    -- Not while the user is closing it.
    vim.schedule(function()
      pcall(vim.api.nvim_buf_delete, at.buffer, { force = true })
    end)
  else
    preview.erase(at.buffer)
  end
end

--- The text is watched while an edit of it is shown.
local function watch(buffer)
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI", "BufUnload" }, {
    group = group,
    buffer = buffer,
    callback = function(event)
      if pending and (event.event == "BufUnload" or M.version(buffer) ~= pending.version) then
        local changed = not pending.creates
        leave()
        if changed then
          vim.notify("codegemma: the text changed, so the edit was discarded", vim.log.levels.WARN)
        end
      end
    end,
  })
end

--- Calls `action` as soon as windows may be opened: not while the command-line window is open.
local function when_free(action)
  if vim.fn.getcmdwintype() == "" then
    action()
  else
    vim.api.nvim_create_autocmd("CmdwinLeave", { once = true, callback = vim.schedule_wrap(action) })
  end
end

local function show(proposal, asked)
  local creates = is_created(proposal)
  local buffer = creates and preview.new_file(proposal) or vim.uri_to_bufnr(proposal.uri)
  vim.fn.bufload(buffer)
  local client = server.client()
  local encoding = client and client.offset_encoding or "utf-16"
  local from, chat = vim.api.nvim_get_current_buf(), require("codegemma.chat").buffer()
  local idle = vim.fn.mode() == "n" and (not asked or from == asked.buffer or from == chat)
  show_buffer(buffer, idle)
  if not creates then
    vim.bo[buffer].buflisted = true
    preview.draw(buffer, proposal, encoding)
  end
  pending = { buffer = buffer, proposal = proposal, encoding = encoding, creates = creates }
  pending.version, pending.mapped = M.version(buffer), map(buffer)
  watch(buffer)
  vim.notify(("codegemma: %s: %s accepts, %s discards"):format(
    proposal.label,
    config.current.keys.accept_edit or ":CodeGemma accept",
    config.current.keys.discard_edit or ":CodeGemma discard"
  ))
end

--- Shows a proposal of the server in the file's buffer, which is opened where it is not. `asked` is what it was asked
--- for: { buffer, version }.
function M.preview(proposal, asked)
  when_free(function()
    M.discard(true)
    if asked and not (vim.api.nvim_buf_is_loaded(asked.buffer) and M.version(asked.buffer) == asked.version) then
      vim.notify("codegemma: the text changed while the edit was written; ask again", vim.log.levels.WARN)
    else
      show(proposal, asked)
    end
  end)
end

--- Makes the edits of a proposal, which the user has accepted: Neovim is not to ask again. What comes behind the last
--- line it would put into it.
local function apply(proposal, encoding)
  local buffer = vim.uri_to_bufnr(proposal.uri)
  local count, edits, appended = vim.api.nvim_buf_line_count(buffer), {}, {}
  for _, edit in ipairs(preview.text_edits(proposal)) do
    if edit.range.start.line >= count then
      vim.list_extend(appended, preview.new_lines(edit.newText))
    else
      table.insert(edits, { range = edit.range, newText = edit.newText })
    end
  end
  vim.lsp.util.apply_text_edits(edits, buffer, encoding)
  vim.api.nvim_buf_set_lines(buffer, -1, -1, false, appended)
end

--- Whether a file or an unsaved text of this name has come to be.
local function exists(path)
  return vim.uv.fs_stat(path) ~= nil
    or vim.iter(vim.api.nvim_list_bufs()):any(function(buffer)
      local lines = vim.api.nvim_buf_is_loaded(buffer) and vim.api.nvim_buf_get_lines(buffer, 0, 2, false) or {}
      return vim.api.nvim_buf_get_name(buffer) == path and (#lines > 1 or (lines[1] or "") ~= "")
    end)
end

--- Opens a new file with a proposal's text. Neovim's own way would leave an empty file behind, and empty one that has
--- come to be meanwhile.
local function create(proposal)
  local path = vim.uri_to_fname(proposal.uri)
  vim.fn.mkdir(vim.fs.dirname(path), "p")
  vim.cmd("botright split " .. vim.fn.fnameescape(path))
  vim.api.nvim_buf_set_lines(0, 0, -1, false, preview.new_lines(proposal.text))
end

--- Makes the edit that is shown.
function M.accept()
  local at = pending
  if not at then
    vim.notify("codegemma: there is no edit to accept", vim.log.levels.WARN)
    return
  end
  if not at.creates and not vim.bo[at.buffer].modifiable then
    vim.notify("codegemma: the buffer is not modifiable; the edit waits", vim.log.levels.WARN)
    return
  end
  local same = M.version(at.buffer) == at.version
  leave()
  -- What is said takes the place of the question which keys accept and discard.
  if not same or (at.creates and exists(vim.uri_to_fname(at.proposal.uri))) then
    vim.notify("codegemma: the text changed, so the edit was not made; ask again", vim.log.levels.WARN)
  elseif at.creates then
    create(at.proposal)
    vim.notify("codegemma: accepted; :write saves the new file")
  else
    apply(at.proposal, at.encoding)
    vim.notify("codegemma: accepted; u undoes it")
  end
end

--- Leaves everything as it is.
function M.discard(quietly)
  if streaming then
    streaming.cancel()
    preview.erase(streaming.buffer)
    streaming = nil
  elseif pending then
    leave()
  elseif quietly ~= true then
    vim.notify("codegemma: there is no edit to discard", vim.log.levels.WARN)
    return
  end
  if quietly ~= true then
    vim.notify("codegemma: discarded; the text is as it was")
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

--- Asks the server for an edit of lines, and previews it. `more` returns further parameters.
local function propose(method, about, more)
  M.discard(true)
  local buffer = about.buffer
  if vim.api.nvim_buf_get_name(buffer) == "" then
    vim.notify("codegemma: this text is not in a file; save it first, then it can be edited", vim.log.levels.WARN)
    return
  end
  token = token + 1
  local asked = { buffer = buffer, version = M.version(buffer) }
  local own = { buffer = buffer, token = "codegemma-edit-" .. token, text = "", row = about.last }
  streaming = own
  local function params(client)
    return vim.tbl_extend("error", more(own.token), {
      uri = vim.uri_from_bufnr(buffer),
      range = M.range(client, about),
    })
  end
  own.cancel = server.request(buffer, method, params, function(result, problem)
    preview.erase(buffer)
    streaming = nil
    if problem then
      vim.notify("codegemma: " .. problem, vim.log.levels.WARN)
    else
      M.preview(result, asked)
    end
  end)
end

--- Asks for an edit: "edit" with an instruction, "fix", "doc" or "tests". `about` is { buffer, first, last, empty }: lines
--- from 0, the last included; with `empty` nothing is selected and the cursor is on them.
function M.ask(action, about, instruction)
  propose("codegemma/edit", about, function(streamed)
    return {
      action = action,
      instruction = instruction or "",
      diagnostics = action == "fix" and diagnostics(about.buffer, about.first, about.last) or nil,
      partialResultToken = streamed,
    }
  end)
end

--- Previews what puts code where it belongs in a buffer. `about` is as for `ask`.
function M.apply(about, code)
  propose("codegemma/applyCode", about, function()
    return { code = code }
  end)
end

--- What is written while an edit is made is shown below the lines that it is for.
server.on("text", function(message)
  if streaming and message.token == streaming.token and vim.api.nvim_buf_is_loaded(streaming.buffer) then
    streaming.text = streaming.text .. message.value.text
    preview.erase(streaming.buffer)
    preview.draw_below(streaming.buffer, streaming.row, vim.split(streaming.text, "\n"))
  end
end)

--- The range of whole lines in the server's encoding, or an empty one if nothing is selected.
function M.range(client, about)
  local line = vim.api.nvim_buf_get_lines(about.buffer, about.last, about.last + 1, false)[1] or ""
  local length = compat.length(line, client.offset_encoding)
  return {
    start = { line = about.first, character = about.empty and length or 0 },
    ["end"] = { line = about.last, character = length },
  }
end

return M
