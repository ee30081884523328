"""Follows the files that are written, so that similar code is found in them as they are now."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.document import file_path
from codegemma_lsp.server.app import Server, server
from codegemma_lsp.syntax import suffixes

_REGISTRATION = "codegemma-saved-files"


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
def on_did_save(params: types.DidSaveTextDocumentParams) -> None:
    _changed([params.text_document.uri])


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def on_did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
    _changed([change.uri for change in params.changes])


def _changed(uris: list[str]) -> None:
    server.session.files_changed([file_path(uri) for uri in uris if uri.startswith("file:")])


async def watch_files(server: Server) -> None:
    """Asks the client to tell which sources are written by others, if it can."""
    workspace = server.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace is not None else None
    if watched is None or not watched.dynamic_registration:
        return
    pattern = f"**/*.{{{','.join(sorted(suffix.lstrip('.') for suffix in suffixes()))}}}"
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(pattern)])
    registration = types.Registration(_REGISTRATION, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
    await server.client_register_capability_async(types.RegistrationParams([registration]))
