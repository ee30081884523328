--- `:CodeGemma model`: a list of models to choose from, which are downloaded and used over the server's requests.
local server = require("codegemma.server")

local M = {}

local AUTO = "auto"
--- What is being downloaded: { name, token, cancel }.
local pulling, count = nil, 0

local function say(message, level)
  vim.notify("codegemma: " .. message, level)
end

local function gigabytes(bytes)
  return bytes >= 1e9 and ("%.1f GB"):format(bytes / 1e9) or ("%.0f MB"):format(bytes / 1e6)
end

--- A line of the list.
local function described(model)
  if model.name == AUTO then
    return "auto: the best model that is installed"
  end
  local pieces = { model.about, gigabytes(model.size) }
  if model.licence ~= "" then
    table.insert(pieces, model.licence)
  end
  if not model.fits then
    table.insert(pieces, "needs " .. gigabytes(model.memory) .. " of memory, too much for this machine")
  end
  local mark = model.inUse and "* " or model.installed and "+ " or "  "
  return ("%s%s: %s"):format(mark, model.name, table.concat(pieces, ", "))
end

--- Saves the choice; the server loads the model.
local function use(model, chat)
  local params = { name = model.name, chat = chat or model.use == "chat" }
  server.request(nil, "codegemma/useModel", params, function(result, problem)
    if problem then
      say(problem, vim.log.levels.WARN)
    else
      say(result.message)
    end
  end)
end

local function download(model, done)
  if pulling then
    say(("%s is being downloaded; :CodeGemma stop ends that"):format(pulling.name), vim.log.levels.WARN)
    return
  end
  count = count + 1
  local own = { name = model.name, token = "codegemma-pull-" .. count }
  pulling = own
  say(("downloading %s; :CodeGemma stop ends it"):format(model.name))
  local params = { name = model.name, workDoneToken = own.token }
  own.cancel = server.request(nil, "codegemma/pullModel", params, function(_, problem)
    pulling = nil
    if problem then
      say(problem, vim.log.levels.WARN)
    else
      done()
    end
  end)
end

--- How far a download is, in the line of messages, where it does not make anyone press a key.
server.on("progress", function(message)
  local value = message.value
  if pulling and message.token == pulling.token and type(value) == "table" and value.kind == "report" then
    local text = ("codegemma: %s: %d%% (%s)"):format(pulling.name, value.percentage, value.message)
    vim.api.nvim_echo({ { vim.fn.strcharpart(text, 0, vim.v.echospace) } }, false, {})
  end
end)

--- Asks before anything is fetched: it is large, and has a licence.
local function confirm(model, done)
  local prompt = ("Download %s (%s)?"):format(model.name, gigabytes(model.size))
  if model.licence ~= "" then
    prompt = ("Download %s (%s; licence: %s, %s)?"):format(
      model.name,
      gigabytes(model.size),
      model.licence,
      model.licencePage
    )
  end
  vim.ui.select({ "Download", "Cancel" }, { prompt = prompt }, function(answer)
    if answer == "Download" then
      done()
    end
  end)
end

local function take(model, chat)
  if model.installed then
    use(model, chat)
    return
  end
  confirm(model, function()
    download(model, function()
      use(model, chat)
    end)
  end)
end

--- Ends the download. What was ended, or nil where there is nothing.
function M.stop()
  if not pulling then
    return nil
  end
  local name = pulling.name
  pulling.cancel()
  pulling = nil
  return ("the download of %s is stopped; the next one continues it"):format(name)
end

--- Whether a model is being downloaded.
function M.busy()
  return pulling ~= nil
end

--- Uses a model, which is fetched first where it is not here: the one of a name, or one that the user chooses from a
--- list. `chat`: for chat and edits, also if it completes.
function M.choose(name, chat)
  server.request(nil, "codegemma/models", vim.empty_dict(), function(result, problem)
    if problem then
      say(problem, vim.log.levels.WARN)
      return
    end
    local models = result.models
    table.insert(models, 1, { name = AUTO, use = "", installed = true, fits = true })
    for _, model in ipairs(models) do
      if model.name == name then
        take(model, chat)
        return
      end
    end
    if name then
      use({ name = name, use = "" }, chat) -- the server says which name may be meant
      return
    end
    vim.ui.select(models, {
      prompt = "CodeGemma: which model? (* in use, + installed)",
      format_item = described,
      kind = "codegemma-model",
    }, function(model)
      if model then
        take(model, chat)
      end
    end)
  end)
end

return M
