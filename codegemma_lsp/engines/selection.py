"""Decides which model an engine is loaded with, from a setting and this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.models import CHAT_SLOTS, Choice, ModelError, chat_model, completion_model
from codegemma_lsp.settings import Settings


@dataclass(frozen=True, slots=True)
class Selection:
    """A chosen model, and the settings to load it with, in which the model is a path or an address."""

    choice: Choice
    settings: Settings


@dataclass(frozen=True, slots=True)
class Selector:
    """How a model is chosen. ``select`` raises ``ModelNotFound``. Only the settings in ``depends_on`` change what is
    loaded."""

    select: Callable[[Settings], Selection]
    depends_on: frozenset[str]


def select_completion(settings: Settings) -> Selection:
    """Returns the completion model. Raises ``ModelNotFound`` if the setting names no model on this machine."""
    try:
        choice = completion_model(settings.model, settings.context_tokens, settings.slots)
    except ModelError as error:
        raise ModelNotFound(str(error)) from None
    return Selection(choice, settings.model_copy(update={"model": _place(choice, "model")}))


def select_chat(settings: Settings) -> Selection:
    """Returns the chat model, with the chat's own context size and without an adapter, which is made for infilling.
    Raises ``ModelNotFound`` as ``select_completion``
    does."""
    try:
        completion = completion_model(settings.model, settings.context_tokens, settings.slots).model
    except ModelError:
        completion = settings.model
    try:
        choice = chat_model(settings.chat_model, settings.chat_context_tokens, CHAT_SLOTS, completion)
    except ModelError as error:
        raise ModelNotFound(str(error)) from None
    path = _place(choice, "chatModel")
    if not _exists(choice):
        raise ModelNotFound(f"There is no chat model at {path}; correct the setting chatModel.")
    return Selection(choice, settings.model_copy(update={"model": path, **_for_chat(settings)}))


def is_for_chat(settings: Settings) -> bool:
    """Returns whether settings are those of a chat engine, as ``select_chat`` returns them."""
    return all(getattr(settings, name) == value for name, value in _for_chat(settings).items())


def _for_chat(settings: Settings) -> dict[str, object]:
    return {
        "context_tokens": settings.chat_context_tokens,
        "slots": CHAT_SLOTS,
        "saved_prompts_mb": 0,
        "adapter": "",
    }


def _place(choice: Choice, setting: str) -> str:
    """Returns the address of a server, or an absolute path. A relative one would be resolved in the folder where the
    server was started, which may be in a workspace."""
    if choice.path is None:
        return choice.model
    if not choice.path.is_absolute():
        raise ModelNotFound(f"The setting {setting} is {choice.model!r}; write the whole path of the model, or a name.")
    return str(choice.path)


def _exists(choice: Choice) -> bool:
    try:
        return choice.path is None or choice.path.exists()
    except (OSError, ValueError):  # an invalid file name
        return False


LOADED_BY = frozenset(
    {
        "model",
        "adapter",
        "allow_plain_http",
        "infill_format",
        "context_tokens",
        "slots",
        "batch_tokens",
        "threads",
        "batch_threads",
        "gpu_layers",
        "kv_cache",
        "saved_prompts_mb",
        "share_model",
    }
)
"""The settings that a loaded engine depends on."""
COMPLETION = Selector(select_completion, LOADED_BY)
CHAT = Selector(select_chat, LOADED_BY | {"chat_model", "chat_context_tokens"})
