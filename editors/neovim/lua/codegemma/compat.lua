--- What differs between Neovim 0.10 and later.
local M = {}

local since_11 = vim.fn.has("nvim-0.11") == 1

--- Calls a method of a language client.
function M.call(client, method, ...)
  if since_11 then
    return client[method](client, ...)
  end
  return client[method](...)
end

--- All clients of a name, also those that are yet to answer.
function M.clients(name)
  return vim.lsp.get_clients({ name = name, _uninitialized = true })
end

--- Starts a server, or takes a running one that `reuse` allows, for a buffer or for none; its client's id, or nil.
function M.start(options, buffer, reuse)
  if buffer then
    return vim.lsp.start(options, { bufnr = buffer, silent = true, reuse_client = reuse })
  end
  for _, client in ipairs(M.clients(options.name)) do
    if reuse(client) then
      return client.id
    end
  end
  if since_11 then
    return vim.lsp.start(options, { attach = false, silent = true, reuse_client = reuse })
  end
  return (vim.lsp.start_client(options))
end

--- Where two texts differ: { start, count, start, count } of each hunk, in lines from 1.
function M.hunks(old, new)
  local diff = vim.text and vim.text.diff or vim.diff
  return diff(old, new, { result_type = "indices", algorithm = "histogram" })
end

--- Runs a command of the server.
function M.exec(client, command, buffer)
  if client.exec_cmd then
    client:exec_cmd(command, { bufnr = buffer })
  else
    local params = { command = command.command, arguments = command.arguments }
    M.call(client, "request", "workspace/executeCommand", params, nil, buffer)
  end
end

--- Bytes of a line before a character counted in `encoding`.
function M.byte(line, encoding, character)
  if since_11 then
    return vim.str_byteindex(line, encoding, character, false)
  end
  return vim.lsp.util._str_byteindex_enc(line, character, encoding)
end

--- Characters of a text counted in `encoding`.
function M.length(text, encoding)
  if encoding == "utf-8" then
    return #text
  end
  if since_11 then
    return vim.str_utfindex(text, encoding)
  end
  local utf32, utf16 = vim.str_utfindex(text)
  return encoding == "utf-16" and utf16 or utf32
end

return M
