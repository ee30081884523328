"""The command line: ``app`` declares the commands, the other modules do what they say."""

from codegemma_lsp.cli.app import main

__all__ = ["main"]
