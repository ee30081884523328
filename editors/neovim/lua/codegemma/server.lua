--- The connection to the server: started for buffers that want it, started again when it dies, stopped when off.
local compat = require("codegemma.compat")
local config = require("codegemma.config")

local M = { status = { kind = "Inactive", message = "not started", busy = false } }

local NAME = "codegemma"
local MOST_RESTARTS, CALM_MS = 5, 60000

local deaths, died_at, stopping = 0, 0, false
local listeners = {}
--- Requests that wait for an answer: what ends each.
local running = {}

--- Calls `listener` with the parameters of each notification of this method.
function M.on(method, listener)
  listeners[method] = listeners[method] or {}
  table.insert(listeners[method], listener)
end

local function tell(method, params)
  for _, listener in ipairs(listeners[method] or {}) do
    listener(params)
  end
end

local function set_status(status)
  M.status = status
  vim.api.nvim_exec_autocmds("User", { pattern = "CodeGemmaStatus", modeline = false })
end

local function capabilities()
  local found = vim.lsp.protocol.make_client_capabilities()
  -- 0.10 and 0.11 show inline completion by this plugin, and do not say so themselves.
  found.textDocument.inlineCompletion = found.textDocument.inlineCompletion or { dynamicRegistration = false }
  return found
end

local function on_exit(code)
  vim.schedule(function()
    for _, finish in pairs(running) do
      finish(nil, "the server ended before it could answer; ask again")
    end
  end)
  if stopping then
    return
  end
  local now = vim.uv.now()
  deaths = now - died_at > CALM_MS and 1 or deaths + 1
  died_at = now
  vim.schedule(function()
    if deaths > MOST_RESTARTS then
      set_status({ kind = "Error", message = "the server ended " .. deaths .. " times; see :checkhealth codegemma" })
      vim.notify("codegemma: the server ended " .. deaths .. " times in a row; :CodeGemma restart tries again", 4)
      return
    end
    set_status({ kind = "Warning", message = ("the server ended (code %s); starting it again"):format(code), busy = true })
    vim.defer_fn(M.attach_all, 200 * 2 ^ (deaths - 1))
  end)
end

local handlers = {
  ["didChangeStatus"] = function(_, params)
    set_status(params)
  end,
  ["$/progress"] = function(err, params, context, ...)
    if type(params.value) == "table" and params.value.text then
      tell("text", params)
    elseif vim.lsp.handlers["$/progress"] then
      return vim.lsp.handlers["$/progress"](err, params, context, ...)
    end
  end,
}

local function start_options(buffer)
  local command, reason = config.command()
  if not command then
    set_status({ kind = "Error", message = reason })
    return nil
  end
  return {
    name = NAME,
    cmd = command,
    root_dir = vim.fs.root(buffer, { ".git" }) or vim.fn.getcwd(),
    init_options = vim.tbl_extend("force", { asksInstruction = true }, config.current.settings),
    settings = { codegemma = next(config.current.settings) and config.current.settings or vim.empty_dict() },
    capabilities = capabilities(),
    handlers = handlers,
    on_exit = on_exit,
    flags = { debounce_text_changes = 0 },
  }
end

--- Attaches a buffer, unless nothing is wanted in it.
function M.attach(buffer)
  if stopping or not vim.api.nvim_buf_is_loaded(buffer) or not config.wanted(buffer) then
    return
  end
  local options = start_options(buffer)
  if options then
    vim.lsp.start(options, { bufnr = buffer, silent = true })
  end
end

function M.attach_all()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.api.nvim_buf_get_name(buffer) ~= "" then
      M.attach(buffer)
    end
  end
end

--- The client of a buffer, or any one where no buffer is given; nil where there is none.
function M.client(buffer)
  return vim.lsp.get_clients({ name = NAME, bufnr = buffer })[1]
end

function M.stop()
  stopping = true
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    compat.call(client, "stop")
  end
  set_status({ kind = "Inactive", message = "off" })
end

function M.start()
  stopping, deaths = false, 0
  M.attach_all()
end

--- Sends a request and calls `done(result, error)` on the main loop, unless it was cancelled by the function returned.
--- Errors are the server's own sentences.
function M.request(buffer, method, params, done)
  local client = M.client(buffer) or M.client()
  local over, pending = false, {}
  local function finish(result, problem)
    running[pending] = nil
    if not over then
      over = true
      done(result, problem)
    end
  end
  running[pending] = finish
  if not client then
    vim.schedule(function()
      finish(nil, "the server is not running: " .. M.status.message)
    end)
    return function()
      over = true
    end
  end
  local ok, id = compat.call(client, "request", method, params, function(err, result)
    finish(result, err and err.message or nil)
  end, buffer)
  if not ok then
    vim.schedule(function()
      finish(nil, "the server does not take requests; :CodeGemma restart")
    end)
  end
  return function()
    if ok and id and not over then
      over = true
      compat.call(client, "cancel_request", id)
    end
  end
end

return M
