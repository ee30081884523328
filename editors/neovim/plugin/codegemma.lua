if vim.g.loaded_codegemma then
  return
end
vim.g.loaded_codegemma = true

vim.api.nvim_create_user_command("CodeGemma", function(args)
  require("codegemma.commands").run(args)
end, {
  nargs = "*",
  range = true,
  desc = "CodeGemma: completion, chat and edits",
  complete = function(lead, line)
    return require("codegemma.commands").complete(lead, line)
  end,
})
