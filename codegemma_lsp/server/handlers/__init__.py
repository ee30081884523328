"""One module a request or a group of notifications. Importing this package registers all of them."""

from codegemma_lsp.server.handlers import (
    acceptance,
    chat,
    code_action,
    commands,
    completion,
    documents,
    edit,
    inline_completion,
    lifecycle,
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
    "inline_completion",
    "lifecycle",
    "state",
    "workspace",
]
