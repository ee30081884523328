"""Handles ``initialize``, ``initialized`` and ``shutdown``."""

from __future__ import annotations

from lsprotocol import types

from codegemma_lsp.server import conversions
from codegemma_lsp.server.app import server
from codegemma_lsp.server.handlers.completion import on_completion
from codegemma_lsp.server.handlers.saved_files import watch_files
from codegemma_lsp.server.parent import watch
from codegemma_lsp.settings import Popup


@server.feature(types.INITIALIZE)
def on_initialize(params: types.InitializeParams) -> None:
    watch(params.process_id, server.leave_without_editor)
    server.startup_problems = server.session.initialize(params.initialization_options)
    server.session.encoding = conversions.encoding(server.workspace.position_encoding)
    if server.session.settings.popup is Popup.ON and types.TEXT_DOCUMENT_COMPLETION not in server.protocol.fm.features:
        server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "(", " "]))(
            on_completion
        )


@server.feature(types.INITIALIZED)
async def on_initialized(params: types.InitializedParams) -> None:
    for problem in server.startup_problems:
        server.show(f"codegemma: {problem}")
    server.take_folders()
    server.spawn(server.session.load())
    server.spawn(watch_files(server))
    await server.pull_configuration()


@server.feature(types.SHUTDOWN)
async def on_shutdown(params: None) -> None:
    await server.session.shut_down()
