--- `codegemma/definitions`: what the other servers of a buffer say where names are defined.
local compat = require("codegemma.compat")

local M = {}

--- The type of a variable tells more than the place where it is assigned.
local METHODS = { "textDocument/typeDefinition", "textDocument/definition" }
--- How long the other servers are waited for. What has come by then is the answer; the server itself waits longer.
local GIVE_UP_MS = 1500

--- The buffer that a client has open as a document, in the version that is asked about; nil where there is none.
local function buffer_of(client, document)
  for buffer in pairs(client.attached_buffers) do
    local is_it = vim.api.nvim_buf_is_loaded(buffer) and vim.uri_from_bufnr(buffer) == document.uri
    if is_it and vim.lsp.util.buf_versions[buffer] == document.version then
      return buffer
    end
  end
  return nil
end

--- A position of one client as another one counts it.
local function position_for(client, own, buffer, position)
  if client.offset_encoding == own.offset_encoding then
    return position
  end
  local line = vim.api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1] or ""
  local before = line:sub(1, compat.byte(line, own.offset_encoding, position.character))
  return { line = position.line, character = compat.length(before, client.offset_encoding) }
end

--- The places in an answer: a Location, a list of them, or a list of LocationLink.
local function places(result, encoding)
  local found = {}
  for _, place in ipairs(result and (result.uri and { result } or result) or {}) do
    local uri, range = place.uri or place.targetUri, place.range or place.targetSelectionRange
    if uri and range then
      table.insert(found, { uri = uri, range = range, encoding = encoding })
    end
  end
  return found
end

--- Calls `each(client, method)` for all that the other servers of a buffer can be asked.
local function each_other(own, buffer, each)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = buffer })) do
    for _, method in ipairs(client.name ~= own.name and METHODS or {}) do
      if compat.call(client, "supports_method", method) then
        each(client, method)
      end
    end
  end
end

--- Asks the other servers of a buffer, and adds to `found`, by position. Calls `done` when all have answered.
local function ask(own, buffer, positions, found, done)
  local waiting = {}
  local function answered(request)
    waiting[request] = nil
    if not next(waiting) then
      done()
    end
  end
  local all = {} -- counts as one that waits, so that `done` is called once, and after all have been asked
  waiting[all] = true
  each_other(own, buffer, function(client, method)
    for i, position in ipairs(positions) do
      local request = { client = client }
      local params = {
        textDocument = { uri = vim.uri_from_bufnr(buffer) },
        position = position_for(client, own, buffer, position),
      }
      waiting[request] = true
      local ok, id = compat.call(client, "request", method, params, function(_, result)
        if waiting[request] then
          vim.list_extend(found[i], places(result, client.offset_encoding))
          answered(request)
        end
      end, buffer)
      request.id = id
      if not ok and waiting[request] then
        answered(request)
      end
    end
  end)
  answered(all)
  return function()
    for request in pairs(waiting) do
      waiting[request] = nil
      compat.call(request.client, "cancel_request", request.id)
    end
  end
end

--- Answers the request, in the coroutine that Neovim runs handlers in: a list of places for each position, or null if
--- the text is another one by now.
function M.answer(_, params, context)
  local own = vim.lsp.get_client_by_id(context.client_id)
  local buffer = own and buffer_of(own, params.textDocument)
  if not buffer then
    return vim.NIL
  end
  local found = vim.tbl_map(function()
    return {}
  end, params.positions)
  local thread, is_done, is_waiting = coroutine.running(), false, false
  local function done()
    if is_done then
      return
    end
    is_done = true
    if is_waiting then
      coroutine.resume(thread)
    end
  end
  local give_up = ask(own, buffer, params.positions, found, done)
  if not is_done then
    is_waiting = true
    vim.defer_fn(done, GIVE_UP_MS)
    coroutine.yield()
    give_up()
  end
  return found
end

return M
