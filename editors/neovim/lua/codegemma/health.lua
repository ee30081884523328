--- `:checkhealth codegemma`
local M = {}

function M.check()
  local health, config, server = vim.health, require("codegemma.config"), require("codegemma.server")
  health.start("codegemma")
  if vim.fn.has("nvim-0.10") == 1 then
    health.ok("Neovim " .. tostring(vim.version()))
  else
    health.error("Neovim is older than 0.10")
  end
  local command, reason = config.command()
  if not command then
    health.error(reason)
    return
  end
  if vim.fn.executable(command[1]) ~= 1 then
    health.error(command[1] .. " cannot be run; correct cmd in setup()")
    return
  end
  health.ok("the server is " .. command[1])
  local doctor = vim.tbl_map(function(word)
    return word == "serve" and "doctor" or word
  end, command)
  local done = vim.system(doctor, { text = true, timeout = 60000 }):wait()
  local said = vim.trim((done.stdout or "") .. (done.stderr or ""))
  if done.code == 0 then
    health.ok("codegemma-lsp doctor finds nothing wrong")
  else
    health.error("codegemma-lsp doctor: " .. said)
  end
  local kinds = { Normal = health.ok, Error = health.error }
  local say = kinds[server.status.kind] or health.warn
  say("status: " .. server.status.message)
  local where = server.where()
  if where then
    health.info(where)
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buflisted then
      local path = vim.api.nvim_buf_get_name(buffer)
      local name = path == "" and "[No Name]" or vim.fn.fnamemodify(path, ":~:.")
      local attached = server.client(buffer) and "suggestions are on here" or "the server does not know this buffer"
      health.info(("%s: %s"):format(name, server.why_nothing(buffer) or attached))
    end
  end
  local tab = config.current.keys.accept
  local mapped = tab and vim.fn.maparg(tab, "i", false, true) or {}
  if tab and not (mapped.desc or ""):match("^CodeGemma") then
    health.warn(("%s is mapped by something else; set it up before codegemma, which then falls back to it"):format(tab))
  end
end

return M
