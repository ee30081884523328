"""The boundary at which errors that a user can act on become error responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.models import ModelError
from codegemma_lsp.server.params import MalformedParams
from codegemma_lsp.settings.sources import NotSaved
from codegemma_lsp.text import shortened

LONGEST_MESSAGE = 1_000
"""The number of code points of a message for the user. A path or a value in it may be of any length."""


class RequestFailed(JsonRpcException):
    """A request that was understood but cannot be met. The message is for the user."""

    CODE = types.LSPErrorCodes.RequestFailed.value
    MESSAGE = "The request failed."

    def __init__(self, message: str | None = None, code: int | None = None, data: Any | None = None) -> None:
        super().__init__(shortened(message or "", LONGEST_MESSAGE), code, data)


def translates_errors(handler: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Turns each error that a user can act on into an error response with its sentence."""

    @wraps(handler)
    async def wrapper(raw: Any) -> Any:
        try:
            return await handler(raw)
        except MalformedParams as error:
            raise RequestFailed(str(error), code=types.ErrorCodes.InvalidParams.value) from None
        except RequestRefused as error:
            code = types.LSPErrorCodes.ContentModified if error.stale else types.LSPErrorCodes.RequestFailed
            raise RequestFailed(str(error), code=code.value) from None
        except (EngineError, ModelError, NotSaved) as error:
            raise RequestFailed(str(error)) from None

    return wrapper
