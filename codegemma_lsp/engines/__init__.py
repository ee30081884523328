"""Models that run. ``load`` picks and loads the engine that the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Engine, ModelUnusable, OnProgress
from codegemma_lsp.models import model_path
from codegemma_lsp.settings import Settings

if TYPE_CHECKING:
    from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
    from codegemma_lsp.engines.backends.transformers import TransformersEngine

__all__ = ["Engine", "load"]


def load(
    settings: Settings,
    on_progress: OnProgress = lambda _: True,
    *,
    gate: PriorityGate | None = None,
) -> Engine:
    """Loads a model; blocks, so call it in a thread. Engines on the same file share its weights; those with the same
    ``gate`` make way for what is more urgent on each other.

    Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``.
    """
    from codegemma_lsp.engines.protocol import Options

    options = Options(
        context_tokens=settings.context_tokens,
        slots=settings.slots,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads,
        batch_threads=settings.batch_threads,
        gpu_layers=settings.gpu_layers,
        infill_format=settings.infill_format,
        kv_cache=settings.kv_cache,
    )
    path = model_path(settings.model)
    return _kind(path)(path, options, on_progress, gate)


def _kind(path: Path) -> type[LlamaEngine] | type[TransformersEngine]:
    """The engine for a model: a folder is Hugging Face's format, a file GGUF. Raises ``ModelUnusable``."""
    if not path.is_dir():
        from codegemma_lsp.engines.backends.llama_engine import LlamaEngine

        return LlamaEngine
    try:
        from codegemma_lsp.engines.backends.transformers import TransformersEngine
    except ImportError as error:
        raise ModelUnusable(
            f"{path} is a folder, which needs the package {error.name}; install it with:"
            " pip install 'codegemma-lsp[transformers]'"
        ) from None
    return TransformersEngine
