"""From ``initialize`` to ``shutdown``: settings, loading, and what the server holds."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from codegemma_lsp import convert
from codegemma_lsp.document import file_path
from codegemma_lsp.server.app import server
from codegemma_lsp.server.completion import on_completion
from codegemma_lsp.session import engine_state
from codegemma_lsp.settings import SECTION, Popup, section

STATE = "codegemma/state"


@server.feature(types.INITIALIZE)
def on_initialize(params: types.InitializeParams) -> None:
    server.session.initial = dict(section(params.initialization_options))
    server.asks_instruction = bool(server.session.initial.pop("asksInstruction", False))
    server.session.pending_problems = server.session.configure(None)
    server.session.encoding = convert.encoding(server.workspace.position_encoding)
    if server.session.settings.popup is Popup.ON and types.TEXT_DOCUMENT_COMPLETION not in server.protocol.fm.features:
        server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "(", " "]))(
            on_completion
        )


@server.feature(types.INITIALIZED)
async def on_initialized(params: types.InitializedParams) -> None:
    for problem in server.session.pending_problems:
        server.show(f"codegemma: {problem}")
    server.assistant.folders = tuple(file_path(uri) for uri in server.folders() if uri)
    server.spawn(server.session.load())
    await server.pull_configuration()


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
async def on_did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
    workspace = server.client_capabilities.workspace
    if workspace is not None and workspace.configuration:
        await server.pull_configuration()
    elif isinstance(params.settings, dict) and SECTION in params.settings:
        server.configure(params.settings)


@server.feature(STATE)
def on_state(params: Any) -> dict[str, Any]:
    chat = server.assistant.keeper.engine
    return {**server.session.state(), "chat": engine_state(chat) if chat is not None else None}


@server.feature(types.SHUTDOWN)
async def on_shutdown(params: None) -> None:
    await server.assistant.shut_down()
    await server.session.shut_down()


@server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
def on_did_change_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
    server.assistant.folders = tuple(file_path(uri) for uri in server.folders() if uri)
