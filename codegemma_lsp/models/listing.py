"""The list of models for the user: the catalogue, what else is in the store, and which models are in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codegemma_lsp.models import store
from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE, Model, Purpose, did_you_mean
from codegemma_lsp.models.choice import AUTO, CHAT_SLOTS, chat_model, completion_model
from codegemma_lsp.models.errors import ModelError, ModelMissing, NotSuited
from codegemma_lsp.models.machine import this_machine


class ModelSettings(Protocol):
    """The settings that decide which models are in use, and how much memory they need."""

    @property
    def model(self) -> str: ...
    @property
    def chat_model(self) -> str: ...
    @property
    def context_tokens(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def chat_context_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the list. ``size`` and ``memory`` are in bytes; ``memory`` is 0 if it is unknown. ``in_use`` says what
    the model is used for, or is empty."""

    name: str
    about: str
    purpose: str
    licence: str
    licence_page: str
    size: int
    size_is_exact: bool
    memory: int
    fits: bool
    here: bool
    in_use: str
    path: str


def list_models(settings: ModelSettings) -> list[Row]:
    """Returns the catalogue and the other models in the store, with the memory that each needs with these settings."""
    found, used = store.here(), _in_use(settings)
    rows = [_row(model, settings, model.name in found or model.name == BUNDLED, used) for model in CATALOGUE.values()]
    for name, path in found.items():
        if name not in CATALOGUE:
            rows.append(_imported(name, path, used.get(name, "")))
    return rows


def check_use(name: str, *, chat: bool) -> None:
    """Raises ``ModelMissing`` if a model is not on this machine, and ``NotSuited`` if it is not made for this use.

    ``auto`` is always accepted.
    """
    if name == AUTO:
        return
    names = store.known_names()
    if name not in names:
        raise ModelMissing(f"There is no model {name}; {did_you_mean(name, names)}")
    model = CATALOGUE.get(name)
    if model is not None and not (model.chats if chat else model.completes):
        purpose = "chat" if chat else "completion"
        raise NotSuited(f"{name} is not made for {purpose}; choose another model for it.")
    store.resolve(name)


def _row(model: Model, settings: ModelSettings, is_here: bool, used: dict[str, str]) -> Row:
    context, slots = settings.context_tokens, settings.slots
    if model.purpose is Purpose.CHAT:
        context, slots = settings.chat_context_tokens, CHAT_SLOTS
    memory = model.memory_bytes(context, slots)
    return Row(
        name=model.name,
        about=model.about,
        purpose=model.purpose.value,
        licence=model.licence.name,
        licence_page=model.licence.page,
        size=model.size,
        size_is_exact=model.size_is_exact,
        memory=memory,
        fits=this_machine().fits(memory),
        here=is_here,
        in_use=used.get(model.name, ""),
        path=str(store.model_path(model.name)) if is_here else "",
    )


def _imported(name: str, path: Path, in_use: str) -> Row:
    return Row(
        name=name,
        about="imported",
        purpose="",
        licence="",
        licence_page="",
        size=path.stat().st_size,
        size_is_exact=True,
        memory=0,
        fits=True,
        here=True,
        in_use=in_use,
        path=str(path),
    )


def _in_use(settings: ModelSettings) -> dict[str, str]:
    """Returns what each model in use is used for."""
    used: dict[str, list[str]] = {}
    name = settings.model
    try:
        name = completion_model(settings.model, settings.context_tokens, settings.slots).model
        used.setdefault(name, []).append("completes")
    except ModelError:
        pass
    try:
        chat = chat_model(settings.chat_model, settings.chat_context_tokens, CHAT_SLOTS, name).model
        used.setdefault(chat, []).append("chats")
    except ModelError:
        pass
    return {name: ", ".join(what) for name, what in used.items()}
