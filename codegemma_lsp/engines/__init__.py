"""Models that run. ``load`` picks and loads the engine that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable

from codegemma_lsp.engines.base import Engine
from codegemma_lsp.models import model_path
from codegemma_lsp.settings import Settings

__all__ = ["Engine", "load"]


def load(settings: Settings, on_progress: Callable[[float], None] = lambda _: None) -> Engine:
    """Loads the completion model; blocks, so call it in a thread. ``on_progress`` gets shares from 0 to 1.

    Raises ``ModelNotFound``, ``ModelUnusable``.
    """
    from codegemma_lsp.engines.llama import LlamaEngine, Options

    options = Options(
        context_tokens=settings.context_tokens,
        slots=settings.slots,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
    )
    return LlamaEngine(model_path(settings.model), options, on_progress)
