"""The differences from pygls's protocol: the session owns the documents, and every request gets a response."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol, lsp_method
from pygls.protocol import default_converter as pygls_converter


class Protocol(LanguageServerProtocol):
    """A protocol that leaves documents to the session, because pygls would keep a second copy of each, and splits lines
    where LSP does not.

    Also answers what is no message, requests whose parameters make no sense, and those that come before ``initialize``
    or after ``shutdown``: pygls logs them only.
    ``on_inline_completion_sent`` is called with each answer to an inline completion, once it is on its way.
    """

    on_inline_completion_sent: Callable[[types.InlineCompletionList], None] | None = None
    _is_initialized = False

    @property
    def left_properly(self) -> bool:
        """Returns whether the client has sent ``shutdown``."""
        return bool(self._shutdown)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Leaves an object as it is. pygls calls this for each one in a message, and what lies within the parameters
        may look like a message; ``handle_message`` structures whole ones."""
        return data

    def structured(self, message: dict[str, Any]) -> Any:
        """Returns a message as the class of its method. Raises ``JsonRpcException``."""
        return super().structure_message(message)

    def handle_message(self, message: Any) -> None:
        """Handles what a client sent, or answers it with the error that JSON-RPC and LSP have for it."""
        error = self._refusal(message)
        if error is not None:
            self.refuse(_id_of(message), *error)
            return
        is_request = "id" in message and "method" in message
        if not self._is_initialized and not is_request and message.get("method") != types.EXIT:
            return
        try:
            known = self.structured(message)
        except JsonRpcException as problem:
            if is_request:
                self._send_response(message["id"], error=problem.to_response_error())
            raise
        self._is_initialized = self._is_initialized or message.get("method") == types.INITIALIZE
        super().handle_message(known)

    def _refusal(self, message: Any) -> tuple[types.ErrorCodes | types.LSPErrorCodes, str] | None:
        """Returns the error that answers a message, or None if it is to be handled."""
        if problem := _malformation(message):
            return types.ErrorCodes.InvalidRequest, problem
        if "method" not in message or "id" not in message:
            return None
        if self._shutdown:
            return types.ErrorCodes.InvalidRequest, "The server is shutting down."
        if not self._is_initialized and message["method"] != types.INITIALIZE:
            return types.ErrorCodes.ServerNotInitialized, "The server waits for initialize."
        if self._is_initialized and message["method"] == types.INITIALIZE:
            return types.ErrorCodes.InvalidRequest, "The server is initialized already."
        return None

    def refuse(self, msg_id: str | int | None, code: types.ErrorCodes | types.LSPErrorCodes, reason: str) -> None:
        """Answers a message that cannot be handled. ``msg_id`` is None if the message has no usable one."""
        # As plain values: the classes of LSP leave an id of null out.
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": {"code": code.value, "message": reason}})

    def _send_response(
        self, msg_id: str | int, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        if error is not None and error.code == types.ErrorCodes.InternalError.value:
            # pygls gives away the trace with the paths of the files that it goes through.
            name = error.message.partition(":")[0]
            error = types.ResponseError(code=error.code, message=f"The server failed ({name}); its log says more.")
        super()._send_response(msg_id, result, error)
        if isinstance(result, types.InlineCompletionList) and self.on_inline_completion_sent is not None:
            self.on_inline_completion_sent(result)

    async def ask(self, method: str, params: Any) -> Any:
        """Returns what the client answers to a request of our own. If this is cancelled, the client is told, and its
        answer is dropped; pygls has no place for it. Raises ``JsonRpcException``."""
        msg_id = str(uuid4())
        try:
            return await self.send_request_async(method, params, msg_id=msg_id)
        except asyncio.CancelledError:
            self._request_futures.pop(msg_id, None)
            self._result_types.pop(msg_id, None)
            self.notify(types.CANCEL_REQUEST, types.CancelParams(msg_id))
            raise

    # These are plain functions, because pygls keeps a future for each notification whose handler is a generator.

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
        """Runs a command with its first argument, whatever that is. pygls's own method does not pass a cancellation on
        to the command."""
        command = self.fm.commands.get(params.command)
        if command is None:
            raise JsonRpcInvalidParams(f"There is no command {params.command}.")
        result = command(params.arguments[0] if params.arguments else None)
        return await result if inspect.isawaitable(result) else result


def _malformation(message: Any) -> str:
    """Returns what keeps a JSON value from being a message of JSON-RPC, as a sentence, or ""."""
    if isinstance(message, list):
        return "Batches of messages are no part of the Language Server Protocol; send them one by one."
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return 'A message is an object with "jsonrpc": "2.0".'
    if "method" in message and not isinstance(message["method"], str):
        return "The method of a message is a string."
    if "id" in message and not _is_id(message["id"]) and not ("error" in message and message["id"] is None):
        return "The id of a message is a whole number or a string."
    return "" if message.keys() & {"method", "result", "error"} else "A message has a method, a result or an error."


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _id_of(message: Any) -> str | int | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if _is_id(found) else None


def converter() -> Any:
    """Returns pygls's converter, in which the parameters of methods outside LSP stay plain values such as ``dict`` and
    ``list``."""
    found = pygls_converter()  # type: ignore[no-untyped-call]
    for message in (JsonRPCRequestMessage, JsonRPCNotification):
        found.register_structure_hook(message, _plain)
    return found


def _plain(data: dict[str, Any], message: type[Any]) -> Any:
    fields = {field: data[field] for field in ("id", "method", "jsonrpc", "params") if field in data}
    return message(**{"params": None, **fields})
