"""Everything that knows LSP: short handlers that call a session, conversions, and the parameters of this server's
methods."""

from codegemma_lsp.server import handlers
from codegemma_lsp.server.app import Server, server
from codegemma_lsp.server.protocol import Protocol
from codegemma_lsp.server.run import serve

__all__ = ["Protocol", "Server", "handlers", "serve", "server"]
