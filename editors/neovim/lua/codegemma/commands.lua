--- `:CodeGemma` and what it can do.
local server = require("codegemma.server")

local M = {}

local function say(message)
  vim.notify("codegemma: " .. message)
end

--- Starts the server, and says what came of it. That it cannot be started is said elsewhere.
local function say_started(message)
  local started = server.start()
  if started == nil then
    say("it is on; the server starts with the first file that you open")
  elseif started then
    say(message)
  end
end

--- What a command is about: the lines of its range, from 0, or the cursor's line if it has none. Nothing is selected
--- then, and the server takes what is around the cursor.
local function selection(args)
  local buffer = vim.api.nvim_get_current_buf()
  return { buffer = buffer, first = args.line1 - 1, last = args.line2 - 1, empty = args.range == 0 }
end

local function edit(action)
  return function(args, rest)
    require("codegemma.edit").ask(action, selection(args), rest)
  end
end

local commands = {
  chat = function(args, rest)
    local chat = require("codegemma.chat")
    local asked = args.range > 0 and selection(args) or nil
    chat.open(asked)
    if rest ~= "" then
      chat.ask(rest)
    end
  end,
  explain = function(args, rest)
    local chat = require("codegemma.chat")
    chat.open(selection(args))
    chat.ask(vim.trim("/explain " .. rest))
  end,
  stop = function()
    local stopped = require("codegemma.chat").stop() and "the answer is stopped"
      or require("codegemma.models").stop()
      or "nothing is being written or downloaded"
    say(stopped)
  end,
  model = function(_, rest)
    local name, purpose = rest:match("^(%S*)%s*(%S*)$")
    if not name or (purpose ~= "" and purpose ~= "chat") then
      vim.notify("codegemma: write :CodeGemma model [name] [chat]", vim.log.levels.WARN)
      return
    end
    require("codegemma.models").choose(name ~= "" and name or nil, purpose == "chat")
  end,
  prompt = function()
    require("codegemma.prompt").show()
  end,
  new = function()
    require("codegemma.chat").new()
  end,
  edit = function(args, rest)
    local about = selection(args)
    local function ask(instruction)
      if instruction and vim.trim(instruction) ~= "" then
        require("codegemma.edit").ask("edit", about, instruction)
      end
    end
    if rest ~= "" then
      ask(rest)
    else
      vim.ui.input({ prompt = "Edit: " }, ask)
    end
  end,
  fix = edit("fix"),
  doc = edit("doc"),
  tests = edit("tests"),
  commit = function()
    local buffer = vim.api.nvim_get_current_buf()
    local params = { command = "codegemma.commit", arguments = { vim.uri_from_fname(server.folder(buffer)) } }
    server.request(nil, "workspace/executeCommand", params, function(result, problem)
      if problem then
        vim.notify("codegemma: " .. problem, vim.log.levels.WARN)
      elseif vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype == "gitcommit" then
        vim.api.nvim_buf_set_lines(buffer, 0, 0, false, vim.split(result.text, "\n"))
      else
        vim.fn.setreg('"', result.text)
        vim.notify("codegemma: copied:\n" .. result.text)
      end
    end)
  end,
  apply = function()
    require("codegemma.chat").apply_code()
  end,
  accept = function()
    require("codegemma.edit").accept()
  end,
  discard = function()
    require("codegemma.edit").discard()
  end,
  suggest = function()
    local function ask()
      require("codegemma.ghost").ask(true)
    end
    if vim.fn.mode():sub(1, 1) == "i" then
      ask()
      return
    end
    vim.api.nvim_create_autocmd("InsertEnter", { once = true, callback = vim.schedule_wrap(ask) })
    local line, column = vim.api.nvim_get_current_line(), vim.api.nvim_win_get_cursor(0)[2]
    vim.cmd(column + 1 >= #line and "startinsert!" or "startinsert")
  end,
  auto = function()
    local auto = not require("codegemma.config").current.auto
    require("codegemma").set_auto(auto)
    vim.notify("codegemma: suggestions " .. (auto and "while typing" or "only when asked"))
  end,
  enable = function()
    say_started("it is on; the server is " .. (server.client() and "running" or "starting"))
  end,
  disable = function()
    require("codegemma.ghost").dismiss()
    server.stop()
    say("it is off, and the server ends; :CodeGemma enable starts it again")
  end,
  restart = function()
    say("restarting the server")
    server.stop(function()
      say_started("the server is running again, and loads the model")
    end)
  end,
  status = function()
    local reason = server.why_nothing(vim.api.nvim_get_current_buf())
    local lines = vim.tbl_filter(function(line)
      return line ~= false
    end, { server.status.message, server.where() or false, reason or false })
    say(table.concat(lines, "\n"))
  end,
}

--- Runs a subcommand, as `:CodeGemma` does.
function M.run(args)
  local name, rest = args.args:match("^%s*(%S*)%s*(.-)%s*$")
  name = name == "" and "status" or name
  if not commands[name] then
    vim.notify(("codegemma: there is no command %q; see :help :CodeGemma"):format(name), vim.log.levels.ERROR)
    return
  end
  commands[name](args, rest)
end

--- Names of subcommands that begin so.
function M.complete(lead, line)
  if line:match("^%S*%s+%S*$") == nil and not line:match("CodeGemma%s+%S*$") then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.fn.sort(vim.tbl_keys(commands)))
end

return M
