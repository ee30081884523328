"""Decides which model is used if a setting is ``auto``, and which model would be better.

The functions with a ``Found`` are pure. ``completion_model`` and ``chat_model`` make one for this machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.models.catalogue import BUNDLED, CATALOGUE, Model
from codegemma_lsp.models.errors import ModelMissing
from codegemma_lsp.models.machine import Machine, this_machine
from codegemma_lsp.models.packaged import PACKAGED, NotPackaged, packaged_path
from codegemma_lsp.models.store import here, is_url, resolve

AUTO = "auto"
CHAT_SLOTS = 2
"""The number of prompts that are kept for chat: one for a conversation, and one for edits."""
DEMO_CHAT = "smollm2-135m"
"""The packaged model that is used if there is no better chat model."""

_FIRST = ("codegemma-1.1-2b", "codegemma-2b")
_CODERS = ("codegemma-7b", "qwen2.5-coder-7b", "qwen2.5-coder-3b", "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b")
_CODERS_WITHOUT_GPU = (
    "qwen2.5-coder-1.5b",
    "qwen2.5-coder-0.5b",
    "qwen2.5-coder-3b",
    "qwen2.5-coder-7b",
    "codegemma-7b",
)
"""The order without a GPU. On a CPU, models larger than 1.5B are slow."""
_CODEGEMMA_CHAT = ("codegemma-1.1-7b-it", "codegemma-7b-it")
_GEMMA_CHAT = ("gemma-2-9b-it", "gemma-7b-it", "gemma-2-2b-it", "gemma-2b-it")
_INSTRUCT = re.compile(r"(?:^|[^a-z])(?:instruct|it|chat)(?:[^a-z]|$)", re.IGNORECASE)
_PULL = "codegemma-lsp models pull"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The models to choose from. ``names`` are those in the store. Memory is counted at ``context_tokens`` for each of
    ``slots``."""

    names: Collection[str]
    machine: Machine
    context_tokens: int = 2048
    slots: int = 4

    def fits(self, model: Model) -> bool:
        return self.machine.fits(model.memory_bytes(self.context_tokens, self.slots))

    def first(self, order: Iterable[str]) -> str | None:
        """Returns the first model of ``order`` that is installed and fits."""
        return next((name for name in order if name in self.names and self.fits(CATALOGUE[name])), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A chosen model. ``model`` is a name, a path or an address, and ``path`` is its file, which is None for a model of
    a server. ``why`` and ``better`` are clauses for
    the user; ``better`` may be empty."""

    model: str
    path: Path | None
    why: str
    better: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.model}, {self.why}{f'; {self.better}' if self.better else ''}"


def choose_completion(found: Found) -> str:
    """Returns the name of the completion model: CodeGemma 2B, CodeGemma 7B, a coder model, or else the bundled one."""
    coders = _CODERS if found.machine.has_gpu else _CODERS_WITHOUT_GPU
    return found.first((*_FIRST, *coders)) or BUNDLED


def choose_chat(found: Found, completion: str) -> str | None:
    """Returns the name of the chat model: CodeGemma 7B-IT, the completion model if it is an instruct model, another
    Gemma, or else None. ``completion`` is a name or a path."""
    codegemma = found.first(_CODEGEMMA_CHAT)
    if codegemma or is_instruct(completion):
        return codegemma or completion
    return found.first(_GEMMA_CHAT)


def is_instruct(model: str) -> bool:
    """Returns whether a completion model can also chat, by the catalogue or else by the file's name."""
    if is_url(model):  # a host may be called chat.example.org
        model = model.partition("#")[2]
    known = CATALOGUE.get(model) or CATALOGUE.get(Path(model).stem)
    return known.chats if known is not None else _INSTRUCT.search(Path(model).name) is not None


def better_completion(model: str, found: Found) -> str:
    """Returns which model to pull for better suggestions than those of ``model``, if one fits, or else an empty
    string."""
    if model not in (BUNDLED, "qwen2.5-coder-0.5b"):
        return ""
    wanted = next((name for name in ("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b") if found.fits(CATALOGUE[name])), model)
    return "" if wanted == model else f"{wanted} would be better: {_PULL} {wanted}"


def completion_model(model: str, context_tokens: int, slots: int) -> Choice:
    """Returns the model that a ``model`` setting means on this machine.

    Raises ``ModelMissing``, and ``NotPackaged`` for models that Python packages carry.
    """
    if is_url(model):
        return Choice(model=model, path=None, why="as it is set")
    found = Found(names=here(), machine=this_machine(), context_tokens=context_tokens, slots=slots)
    name = choose_completion(found) if model == AUTO else model
    if model != AUTO:
        why = "as it is set"
    elif name == BUNDLED:
        why = "the small bundled model"
    else:
        why = "the best for completion that is here and fits"
    return Choice(model=name, path=resolve(name), why=why, better=better_completion(name, found))


def chat_model(model: str, context_tokens: int, slots: int, completion: str) -> Choice:
    """Returns the model that a ``chatModel`` setting means on this machine. ``completion`` is the completion model.

    Raises ``ModelMissing`` if there is none, and ``NotPackaged`` for models that Python packages carry.
    """
    if model != AUTO:
        return Choice(model=model, path=None if is_url(model) else resolve(model), why="as it is set")
    found = Found(names=here(), machine=this_machine(), context_tokens=context_tokens, slots=slots)
    name = choose_chat(found, completion)
    if name is not None:
        why = "which completes, too" if name == completion else "the best for chat that is here and fits"
        return Choice(model=name, path=None if is_url(name) else resolve(name), why=why)
    wanted = next((m for m in ("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b") if found.fits(CATALOGUE[m])), "gemma-2b-it")
    try:
        path = packaged_path(DEMO_CHAT)
    except NotPackaged:
        raise ModelMissing(
            f"There is no chat model on this machine; run: {_PULL} {wanted}, or install the small demo model with:"
            f" {PACKAGED[DEMO_CHAT].install}"
        ) from None
    return Choice(
        model=DEMO_CHAT, path=path, why="a small demo model", better=f"{wanted} would be better: {_PULL} {wanted}"
    )
