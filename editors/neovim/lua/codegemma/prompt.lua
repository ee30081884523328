--- `:CodeGemma prompt`: what the model would be shown at the cursor.
local server = require("codegemma.server")

local M = {}

local function open(text)
  vim.cmd("vertical new")
  local buffer = vim.api.nvim_get_current_buf()
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(text, "\n"))
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].filetype = "markdown"
  vim.bo[buffer].modifiable = false
end

--- Opens the prompt at the cursor in a window of its own.
function M.show()
  local buffer = vim.api.nvim_get_current_buf()
  server.attach(buffer, true)
  local client = server.client(buffer)
  local encoding = client and client.offset_encoding or "utf-16"
  local params = vim.lsp.util.make_position_params(0, encoding)
  server.request(buffer, "codegemma/prompt", params, function(result, problem)
    if problem then
      vim.notify("codegemma: " .. problem, vim.log.levels.WARN)
    else
      open(result.text)
    end
  end)
end

return M
