"""Runs models. ``load`` chooses and loads the engine that the settings ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Engine, EngineError, ModelUnusable, OnFailure, OnProgress
from codegemma_lsp.extras import install_command
from codegemma_lsp.models import is_url, model_path
from codegemma_lsp.settings import Settings

if TYPE_CHECKING:
    from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
    from codegemma_lsp.engines.backends.transformers import TransformersEngine
    from codegemma_lsp.engines.worker.client import EngineProcess

__all__ = ["Engine", "Found", "find", "load"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a server says of the model that is meant: its name, or why it cannot be used now."""

    said: str
    is_there: bool


def load(
    settings: Settings,
    on_progress: OnProgress = lambda _: True,
    *,
    gate: PriorityGate | None = None,
    process: EngineProcess | None = None,
    on_failure: OnFailure = lambda _: None,
) -> Engine:
    """Loads a model, in this process or in ``process``, or connects to the server that runs it. It blocks, so call it
    in a thread. ``on_failure`` is called if ``process`` ends before the engine is closed.

    Engines on the same file share its weights. Engines with the same ``gate``, or in the same other process, yield to
    more urgent requests on each other.

    Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``, ``ServerFailed``, and ``EngineFailed`` if
    ``process`` ends meanwhile.
    """
    from codegemma_lsp.engines.protocol import Options

    _check_adapter(settings)
    if is_url(settings.model):
        from codegemma_lsp.engines.backends.openai import OpenAIEngine

        return OpenAIEngine(settings, on_progress)
    if process is not None:
        return process.load(settings, on_progress, on_failure)

    options = Options(
        context_tokens=settings.context_tokens,
        slots=settings.slots,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads,
        batch_threads=settings.batch_threads,
        gpu_layers=settings.gpu_layers,
        infill_format=settings.infill_format,
        kv_cache=settings.kv_cache,
        saved_mb=settings.saved_prompts_mb,
        adapter=Path(settings.adapter) if settings.adapter else None,
    )
    path = model_path(settings.model)
    return _kind(path)(path, options, on_progress, gate)


def _check_adapter(settings: Settings) -> None:
    """Raises ``ModelUnusable`` if the model can have no adapter."""
    if settings.adapter and is_url(settings.model):
        raise ModelUnusable(
            "On a server, an adapter is a model: write its name after # in the setting model, and empty adapter."
        )
    if settings.adapter and model_path(settings.model).is_dir():
        raise ModelUnusable("An adapter needs a model in a GGUF file; choose one, or empty the setting adapter.")


def find(settings: Settings) -> Found:
    """Asks the server of a model for it. It blocks for some seconds at most. Never raises ``EngineError``."""
    from codegemma_lsp.engines.backends.openai import found

    try:
        return Found(found(settings).model, True)
    except EngineError as error:
        return Found(str(error), False)


def _kind(path: Path) -> type[LlamaEngine] | type[TransformersEngine]:
    """Returns the engine class for a model: a folder is in Hugging Face's format, a file is GGUF. Raises
    ``ModelUnusable``."""
    if not path.is_dir():
        from codegemma_lsp.engines.backends.llama_engine import LlamaEngine

        return LlamaEngine
    if not any(path.glob("*.safetensors")):
        raise ModelUnusable(
            f"The folder {path} has no safetensors file, and no other format is read; convert the model, or name a GGUF"
            " file."
        )
    try:
        from codegemma_lsp.engines.backends.transformers import TransformersEngine
    except ImportError as error:
        raise ModelUnusable(
            f"{path} is a folder, which needs the package {error.name}; install it with:"
            f" {install_command('transformers')}"
        ) from None
    return TransformersEngine
