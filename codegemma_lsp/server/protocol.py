"""What differs from pygls's protocol: documents are the session's, and every request is answered."""

from __future__ import annotations

import inspect
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol, lsp_method
from pygls.protocol import default_converter as pygls_converter


class Protocol(LanguageServerProtocol):
    """Leaves documents to the session: pygls would keep a second copy of each, and splits lines where LSP does not.

    Also answers requests whose parameters make no sense, and those that come after ``shutdown``: pygls logs them only.
    """

    @property
    def left_properly(self) -> bool:
        """Whether the client has asked for ``shutdown``."""
        return bool(self._shutdown)

    def handle_message(self, message: Any) -> None:
        if self._shutdown and hasattr(message, "id") and hasattr(message, "method"):
            error = types.ResponseError(types.ErrorCodes.InvalidRequest.value, "The server is shutting down.")
            self._send_response(message.id, error=error)
        else:
            super().handle_message(message)

    def structure_message(self, data: dict[str, Any]) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    # Plain functions: of a handler that is a generator, pygls keeps a future for each notification.

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_OPEN](params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE](params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE](params)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Each command takes its first argument, whatever that is; of pygls's own handler a cancellation reaches no
        further than itself."""
        command = self.fm.commands.get(params.command)
        if command is None:
            raise JsonRpcInvalidParams(f"There is no command {params.command}.")
        result = command(params.arguments[0] if params.arguments else None)
        return await result if inspect.isawaitable(result) else result


def converter() -> Any:
    """pygls's, but parameters of methods that LSP does not have stay plain values: ``dict``, ``list`` and the like."""
    found = pygls_converter()  # type: ignore[no-untyped-call]
    for message in (JsonRPCRequestMessage, JsonRPCNotification):
        found.register_structure_hook(message, _plain)
    return found


def _plain(data: dict[str, Any], message: type[Any]) -> Any:
    fields = {field: data[field] for field in ("id", "method", "jsonrpc", "params") if field in data}
    return message(**{"params": None, **fields})
