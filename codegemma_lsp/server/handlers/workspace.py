"""Handles changes of the configuration and of the workspace's folders."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.server.app import server
from codegemma_lsp.settings import SECTION


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
async def on_did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
    workspace = server.client_capabilities.workspace
    if workspace is not None and workspace.configuration:
        await server.pull_configuration()
    elif isinstance(params.settings, dict) and SECTION in params.settings:
        server.configure(params.settings)


@server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
def on_did_change_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
    server.take_folders()
    server.spawn(server.session.load())
