"""The language server: handlers of a few lines, a feature a file, over a session; the only place where errors end."""

from codegemma_lsp.server import chat, completion, documents, lifecycle
from codegemma_lsp.server.app import Server, server
from codegemma_lsp.server.protocol import Protocol
from codegemma_lsp.server.run import serve

__all__ = ["Protocol", "Server", "chat", "completion", "documents", "lifecycle", "serve", "server"]
