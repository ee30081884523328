--- Tells the server where the cursor has come to rest, so that it reads the prompt there before it is asked.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local server = require("codegemma.server")

local M = {}

local REST_MS = 500
local timer = vim.uv.new_timer()
--- The buffer and the row that were told last: typing on in a line tells nothing new.
local told = {}

local function tell()
  local buffer, row = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)[1]
  local client = config.current.auto and config.wanted(buffer) and server.client(buffer)
  if not client or (told.buffer == buffer and told.row == row) then
    return
  end
  told = { buffer = buffer, row = row }
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  compat.call(client, "notify", "codegemma/didRest", params)
end

function M.enable()
  vim.api.nvim_create_autocmd({ "CursorMoved", "CursorMovedI" }, {
    group = vim.api.nvim_create_augroup("codegemma-rest", {}),
    callback = function()
      timer:start(REST_MS, 0, vim.schedule_wrap(tell))
    end,
  })
end

return M
