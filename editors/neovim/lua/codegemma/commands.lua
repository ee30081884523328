--- `:CodeGemma` and what it can do.
local server = require("codegemma.server")

local M = {}

--- What a command is about: the lines of its range, from 0.
local function selection(args)
  return { buffer = vim.api.nvim_get_current_buf(), first = args.line1 - 1, last = args.line2 - 1 }
end

local function edit(action)
  return function(args, rest)
    local about = selection(args)
    require("codegemma.edit").ask(action, about.buffer, about.first, about.last, rest)
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
    require("codegemma.chat").stop()
  end,
  new = function()
    require("codegemma.chat").new()
  end,
  edit = function(args, rest)
    local about = selection(args)
    local function ask(instruction)
      if instruction and vim.trim(instruction) ~= "" then
        require("codegemma.edit").ask("edit", about.buffer, about.first, about.last, instruction)
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
    server.start()
  end,
  disable = function()
    require("codegemma.ghost").dismiss()
    server.stop()
  end,
  restart = function()
    server.stop(server.start)
  end,
  status = function()
    vim.notify("codegemma: " .. server.status.message)
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
