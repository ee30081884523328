from codegemma_lsp.cli import main

main()
