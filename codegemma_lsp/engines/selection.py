"""Which model an engine is loaded with: a setting and this machine decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.models import CHAT_SLOTS, Choice, ModelError, chat_model, completion_model
from codegemma_lsp.settings import Settings


@dataclass(frozen=True, slots=True)
class Selection:
    """A model that was chosen, and the settings to load it by: they name it by its path."""

    choice: Choice
    settings: Settings


@dataclass(frozen=True, slots=True)
class Selector:
    """``select`` raises ``ModelNotFound``; nothing but the settings in ``depends_on`` changes what is loaded."""

    select: Callable[[Settings], Selection]
    depends_on: frozenset[str]


def select_completion(settings: Settings) -> Selection:
    """The model that completes. Raises ``ModelNotFound`` where the setting means none on this machine."""
    try:
        choice = completion_model(settings.model, settings.context_tokens, settings.slots)
    except ModelError as error:
        raise ModelNotFound(str(error)) from None
    return Selection(choice, settings.model_copy(update={"model": _path(choice, "model")}))


def select_chat(settings: Settings) -> Selection:
    """The model that chats, loaded with the chat's own context. Raises ``ModelNotFound``, as above."""
    try:
        completion = completion_model(settings.model, settings.context_tokens, settings.slots).model
    except ModelError:
        completion = settings.model
    try:
        choice = chat_model(settings.chat_model, settings.chat_context_tokens, CHAT_SLOTS, completion)
    except ModelError as error:
        raise ModelNotFound(str(error)) from None
    path = _path(choice, "chatModel")
    if not _exists(choice):
        raise ModelNotFound(f"There is no chat model at {path}; correct the setting chatModel.")
    changes = {"model": path, "context_tokens": settings.chat_context_tokens, "slots": CHAT_SLOTS}
    return Selection(choice, settings.model_copy(update=changes))


def _path(choice: Choice, setting: str) -> str:
    """Paths must be absolute: a relative one would be looked up where the server was started, which may be in a
    workspace."""
    if not choice.path.is_absolute():
        raise ModelNotFound(f"The setting {setting} is {choice.model!r}; write the whole path of the model, or a name.")
    return str(choice.path)


def _exists(choice: Choice) -> bool:
    try:
        return choice.path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


LOADED_BY = frozenset(
    {
        "model",
        "infill_format",
        "context_tokens",
        "slots",
        "batch_tokens",
        "threads",
        "batch_threads",
        "gpu_layers",
        "kv_cache",
    }
)
"""The settings that a loaded engine depends on."""
COMPLETION = Selector(select_completion, LOADED_BY)
CHAT = Selector(select_chat, LOADED_BY | {"chat_model", "chat_context_tokens"})
