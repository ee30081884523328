--- How an edit is shown before it is made: lines that would go, those that would come, and files that are not there yet.
local compat = require("codegemma.compat")

local M = {}

local space = vim.api.nvim_create_namespace("codegemma-edit")

--- Takes away all that was drawn in a buffer.
function M.erase(buffer)
  if vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, space, 0, -1)
  end
end

--- Draws lines below a row, or above the first where the row is -1.
function M.draw_below(buffer, row, lines)
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

--- The edits of a proposal.
function M.text_edits(proposal)
  local found = vim.list_extend({}, (proposal.edit.changes or {})[proposal.uri] or {})
  for _, change in ipairs(proposal.edit.documentChanges or {}) do
    vim.list_extend(found, change.edits or {})
  end
  return found
end

--- Draws what a proposal inserts outside of its range, such as imports, below the line before it.
local function draw_outside(buffer, proposal)
  local first, last = proposal.range.start, proposal.range["end"]
  for _, edit in ipairs(M.text_edits(proposal)) do
    local from, to = edit.range.start, edit.range["end"]
    if to.line < first.line or from.line > last.line then
      local text = edit.newText:gsub("\r\n", "\n"):gsub("^\n", ""):gsub("\n$", "")
      M.draw_below(buffer, from.character == 0 and from.line - 1 or from.line, vim.split(text, "\n"))
    end
  end
end

--- Draws a proposal: lines that would go as removed, those that would come below them.
function M.draw(buffer, proposal, encoding)
  draw_outside(buffer, proposal)
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
      M.draw_below(buffer, math.min(last, row + math.max(removed, 1) - 1), vim.list_slice(lines, from, from + added - 1))
    end
  end
end

--- The lines of a text that is to be a file, or its end.
function M.new_lines(text)
  return vim.split((text:gsub("\r\n", "\n"):gsub("\n$", "")), "\n")
end

--- A buffer that shows a file which is not there yet.
function M.new_file(proposal)
  local buffer = vim.api.nvim_create_buf(false, true)
  local path = vim.uri_to_fname(proposal.uri)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, M.new_lines(proposal.text))
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].filetype = vim.filetype.match({ filename = path }) or ""
  vim.api.nvim_buf_set_name(buffer, "codegemma://new/" .. vim.fs.basename(path))
  for row = 0, vim.api.nvim_buf_line_count(buffer) - 1 do
    vim.api.nvim_buf_set_extmark(buffer, space, row, 0, { line_hl_group = "CodeGemmaAdded" })
  end
  return buffer
end

return M
