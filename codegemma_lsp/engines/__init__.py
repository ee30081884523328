"""Models that run. ``load`` picks and loads the engine that the settings ask for."""

from __future__ import annotations

from codegemma_lsp.engines.base import Engine, ModelUnusable, OnProgress
from codegemma_lsp.models import model_path
from codegemma_lsp.prompt import Special
from codegemma_lsp.settings import Settings

__all__ = ["Engine", "load"]

_NEEDED = (Special.BOS, Special.FIM_PREFIX, Special.FIM_SUFFIX, Special.FIM_MIDDLE)


def load(settings: Settings, on_progress: OnProgress = lambda _: True, *, infill: bool = True) -> Engine:
    """Loads a model, which must be able to infill unless ``infill`` is false; blocks, so call it in a thread.

    Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``.
    """
    from codegemma_lsp.engines.llama import LlamaEngine, Options

    options = Options(
        context_tokens=settings.context_tokens,
        slots=settings.slots,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
    )
    engine = LlamaEngine(model_path(settings.model), options, on_progress)
    try:
        for special in _NEEDED if infill else ():
            engine.tokenizer.special(special)
    except ModelUnusable:
        engine.close()
        raise
    return engine
