--- The connection to the server: one process for all folders, started for buffers that want it or when something is
--- asked, started again when it dies, stopped when off.
local compat = require("codegemma.compat")
local config = require("codegemma.config")
local definitions = require("codegemma.definitions")

local M = { status = { kind = "Inactive", message = "not started", busy = false } }

local NAME = "codegemma"
local MOST_RESTARTS, CALM_MS = 5, 60000
--- How long a server may take to end when it is asked to.
local STOP_MS = 2000
--- How long a server may take to say where its model runs.
local WHERE_MS = 1000

local off = false
local deaths, died_at = 0, 0
--- By client: whether it was asked to end, and the folders that it knows.
local stopping, folders = {}, {}
--- What to do when the last one that was asked to end has ended.
local when_stopped = nil
local listeners = {}
--- Requests that wait for an answer, and of them those that wait for a server: { finish, send, client }.
local running = {}

--- Calls `listener` with the parameters of each notification of this kind, and the id of the client that it is of.
function M.on(method, listener)
  listeners[method] = listeners[method] or {}
  table.insert(listeners[method], listener)
end

local function tell(method, params, client_id)
  for _, listener in ipairs(listeners[method] or {}) do
    listener(params, client_id)
  end
end

local function set_status(status)
  M.status = status
  vim.api.nvim_exec_autocmds("User", { pattern = "CodeGemmaStatus", modeline = false })
end

local told = nil

--- Says once that the server cannot be started, not for each buffer.
local function say_once(message)
  set_status({ kind = "Error", message = message })
  if told ~= message then
    told = message
    vim.notify("codegemma: " .. message, vim.log.levels.WARN)
  end
end

--- A sentence of the server with the names of settings as they are written in setup(), and our own commands.
local function in_own_names(message)
  message = message:gsub("codegemma%-lsp models pull (%S+)", ":CodeGemma model %1")
  return (message:gsub("setting (%w+)", function(name)
    return config.current.settings[name] ~= nil and "setting settings." .. name or nil
  end))
end

local function capabilities()
  local found = vim.lsp.protocol.make_client_capabilities()
  -- 0.10 and 0.11 show inline completion by this plugin, and do not say so themselves.
  found.textDocument.inlineCompletion = found.textDocument.inlineCompletion or { dynamicRegistration = false }
  return found
end

local function is_ours(client)
  return client.name == NAME and not stopping[client.id]
end

--- The client of a buffer, or any one where no buffer is given; nil where there is none that answers.
function M.client(buffer)
  return vim.tbl_filter(is_ours, vim.lsp.get_clients({ name = NAME, bufnr = buffer }))[1]
end

local function ended_by_itself(code)
  local now = vim.uv.now()
  deaths = now - died_at > CALM_MS and 1 or deaths + 1
  died_at = now
  if deaths > MOST_RESTARTS then
    set_status({ kind = "Error", message = "the server ended " .. deaths .. " times; see :checkhealth codegemma" })
    vim.notify("codegemma: the server ended " .. deaths .. " times in a row; :CodeGemma restart tries again", 4)
    return
  end
  set_status({ kind = "Warning", message = ("the server ended (code %s); starting it again"):format(code), busy = true })
  vim.defer_fn(function()
    M.attach_all()
    if #compat.clients(NAME) == 0 and not off then
      set_status({ kind = "Inactive", message = "not started" }) -- nothing is open that wants it
    end
  end, 200 * 2 ^ (deaths - 1))
end

local function all_stopped()
  local next_step = when_stopped
  when_stopped = nil
  if next_step then
    next_step()
  end
end

local function on_exit(code, _, id)
  vim.schedule(function()
    folders[id] = nil
    for _, request in pairs(running) do
      if request.client == id or (not request.client and not stopping[id]) then
        request.finish(nil, "the server ended before it could answer; ask again")
      end
    end
    if not stopping[id] then
      ended_by_itself(code)
      return
    end
    stopping[id] = nil
    if not next(stopping) then
      vim.schedule(all_stopped) -- Neovim forgets the client only after this
    end
  end)
end

--- Tells a server of the folders that it was not started with.
local function tell_folders(client)
  local added = {}
  for folder, known in pairs(folders[client.id] or {}) do
    if not known then
      folders[client.id][folder] = true
      table.insert(added, { uri = vim.uri_from_fname(folder), name = folder })
    end
  end
  if #added > 0 then
    local params = { event = { added = added, removed = {} } }
    compat.call(client, "notify", "workspace/didChangeWorkspaceFolders", params)
  end
end

local function on_init(client)
  vim.schedule(function()
    tell_folders(client)
    for _, request in pairs(running) do
      if not request.client then
        request.send()
      end
    end
  end)
end

local handlers = {
  ["codegemma/definitions"] = definitions.answer,
  ["codegemma/suggestionGrew"] = function(_, params, context)
    tell("grew", params, context.client_id)
  end,
  ["didChangeStatus"] = function(_, params, context)
    if not stopping[context.client_id] then
      params.message = in_own_names(params.message)
      set_status(params)
    end
  end,
  ["window/showMessage"] = function(_, params)
    local levels = { vim.log.levels.ERROR, vim.log.levels.WARN }
    vim.notify(in_own_names(params.message), levels[params.type] or vim.log.levels.INFO)
  end,
  ["$/progress"] = function(err, params, context, ...)
    if type(params.value) == "table" and params.value.text then
      tell("text", params, context.client_id)
      return
    end
    tell("progress", params, context.client_id)
    if vim.lsp.handlers["$/progress"] then
      return vim.lsp.handlers["$/progress"](err, params, context, ...)
    end
  end,
}

--- What the client can do. Neovim's own ghost text cannot grow.
local function abilities()
  return { asksInstruction = true, findsDefinitions = true, growsSuggestions = not config.native() }
end

local function start_options(folder)
  local command, reason = config.command()
  if not command then
    say_once(reason)
    return nil
  end
  return {
    name = NAME,
    cmd = command,
    -- The settings are those of setup(); Neovim merges none of a workspace into them.
    cmd_env = { CODEGEMMA_TRUST_SETTINGS = "1" },
    root_dir = folder,
    init_options = vim.tbl_extend("force", abilities(), config.current.settings),
    settings = { codegemma = next(config.current.settings) and config.current.settings or vim.empty_dict() },
    capabilities = capabilities(),
    handlers = handlers,
    on_init = on_init,
    on_exit = on_exit,
    flags = { debounce_text_changes = 0 },
  }
end

--- The folder that a buffer belongs to.
function M.folder(buffer)
  return vim.fs.root(buffer, { ".git" }) or vim.fn.getcwd()
end

--- Starts the server, or takes the one that runs; attaches a buffer where one is given. Whether there is one.
local function start(folder, buffer)
  local options = start_options(folder)
  local id = options and compat.start(options, buffer, is_ours)
  if not id then
    if options then
      say_once(options.cmd[1] .. " cannot be run; see :checkhealth codegemma")
    end
    return false
  end
  told = nil
  folders[id] = folders[id] or { [folder] = true }
  if folders[id][folder] == nil then
    folders[id][folder] = false
    local client = vim.lsp.get_client_by_id(id)
    if client and client.initialized then
      tell_folders(client)
    end
  end
  return true
end

--- Buffers without a name have one URI between them: the first has it.
local function is_taken(buffer)
  if vim.api.nvim_buf_get_name(buffer) ~= "" then
    return false
  end
  return vim.iter(vim.api.nvim_list_bufs()):any(function(other)
    return other ~= buffer and vim.api.nvim_buf_get_name(other) == "" and M.client(other) ~= nil
  end)
end

--- Filetypes of prose: the model knows code, and is seldom sure of what comes next in them.
local PROSE = { text = true, markdown = true, rst = true, asciidoc = true, tex = true, mail = true }

--- Why nothing is suggested in a buffer, or little; nil where there is no reason.
function M.why_nothing(buffer)
  local unwanted = config.unwanted(buffer)
  if unwanted then
    return "nothing is suggested here: " .. unwanted
  end
  local key = config.current.keys.trigger or ":CodeGemma suggest"
  local filetype = vim.bo[buffer].filetype
  if not M.client(buffer) then
    if vim.api.nvim_buf_get_name(buffer) == "" and filetype == "" then
      return "nothing is suggested here: the buffer has neither a name nor a filetype; save it, or :set filetype=python"
    elseif is_taken(buffer) then
      return "nothing is suggested here: only one buffer without a name can have suggestions; save this one"
    end
    return nil -- the server's status says the rest
  end
  if not config.current.auto then
    return ("nothing is suggested while you type; %s asks, and :CodeGemma auto turns it on"):format(key)
  elseif PROSE[filetype] or filetype == "" then
    local why = "little is suggested in %s: the model knows code, and shows what it is sure of; %s asks anyway"
    return why:format(filetype == "" and "a text without a filetype" or filetype, key)
  end
  return nil
end

--- Attaches a buffer, unless no suggestions are wanted in it; with `anyway` also then, for edits.
function M.attach(buffer, anyway)
  local fits = vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buftype == "" and not is_taken(buffer)
  if not off and fits and (anyway or config.wanted(buffer)) then
    start(M.folder(buffer), buffer)
  end
end

function M.attach_all()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(buffer) ~= "" or vim.bo[buffer].filetype ~= "" then
      M.attach(buffer)
    end
  end
end

--- Ends the server, if need be by force, and calls `done` when it has ended.
function M.stop(done)
  off = true
  when_stopped = done
  local clients = compat.clients(NAME)
  for _, client in ipairs(clients) do
    stopping[client.id] = true
    compat.call(client, "stop")
  end
  for _, request in pairs(running) do
    request.finish(nil, "the server was stopped; ask again")
  end
  set_status({ kind = "Inactive", message = "off" })
  if not next(stopping) then
    all_stopped()
    return
  end
  vim.defer_fn(function()
    for _, client in ipairs(clients) do
      if stopping[client.id] then
        client.rpc.terminate()
      end
    end
  end, STOP_MS)
  vim.defer_fn(function()
    if when_stopped == done then
      all_stopped() -- one that hangs is left behind
    end
  end, 2 * STOP_MS)
end

--- Starts the server for the buffers that want it. Whether it is there then, or nil where no buffer wants it.
function M.start()
  if not off and M.client() then
    return true
  end
  off, deaths, told = false, 0, nil
  set_status({ kind = "Inactive", message = "not started" })
  M.attach_all()
  if M.status.kind == "Error" then
    return false
  end
  return #compat.clients(NAME) > 0 or nil
end

local function send(request, buffer, method, params)
  local client = M.client(buffer)
  if not client and buffer and M.client() then
    vim.schedule(function()
      request.finish(nil, "this buffer is not one of a file; save it first")
    end)
    request.client = M.client().id
  end
  if not client then
    return
  end
  request.client = client.id
  local given = type(params) == "function" and params(client) or params
  local ok, id = compat.call(client, "request", method, given, function(err, result)
    if result and type(result.note) == "string" then
      result.note = in_own_names(result.note)
    end
    request.finish(result, err and in_own_names(err.message) or nil)
  end, buffer)
  if ok then
    request.id = id
  else
    vim.schedule(function()
      request.finish(nil, "the server does not take requests; :CodeGemma restart")
    end)
  end
end

--- The server's sentence about where the model runs and how much memory it holds, or nil.
function M.where()
  local client = M.client()
  local answer = client and compat.call(client, "request_sync", "codegemma/engines", vim.empty_dict(), WHERE_MS, 0)
  return answer and type(answer.result) == "table" and answer.result.message or nil
end

--- Sends a request, for which the server is started and the buffer attached where need be, and calls
--- `done(result, error)` on the main loop, unless it was cancelled by the function returned. Errors are the server's own
--- sentences. `params` may be a function of the client; `buffer` is nil for what is about none.
function M.request(buffer, method, params, done)
  local request = {}
  function request.finish(result, problem)
    if running[request] then
      running[request] = nil
      done(result, problem)
    end
  end
  function request.send()
    send(request, buffer, method, params)
  end
  running[request] = request
  if buffer and not M.client(buffer) then
    M.attach(buffer, true)
  end
  request.send()
  if not request.client and (off or not start(M.folder(buffer or 0))) then
    vim.schedule(function()
      request.finish(nil, "the server is not running: " .. M.status.message)
    end)
  end
  return function()
    running[request] = nil
    local client = request.id and vim.lsp.get_client_by_id(request.client)
    if client then
      compat.call(client, "cancel_request", request.id)
    end
  end
end

return M
