"""The handlers, one module for each request or group of notifications. Importing this package registers them."""

from codegemma_lsp.server.handlers import (
    acceptance,
    chat,
    code_action,
    commands,
    completion,
    documents,
    edit,
    engines,
    inline_completion,
    lifecycle,
    models,
    prompt,
    saved_files,
    state,
    workspace,
)

__all__ = [
    "acceptance",
    "chat",
    "code_action",
    "commands",
    "completion",
    "documents",
    "edit",
    "engines",
    "inline_completion",
    "lifecycle",
    "models",
    "prompt",
    "saved_files",
    "state",
    "workspace",
]
