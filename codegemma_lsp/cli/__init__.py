"""The command line. ``app`` assembles the commands, and each other module has one group of them."""

from codegemma_lsp.cli.app import main

__all__ = ["main"]
