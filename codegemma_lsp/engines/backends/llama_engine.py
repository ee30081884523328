"""The engine for GGUF files: the decoding loop on llama.cpp."""

from __future__ import annotations

from pathlib import Path

from codegemma_lsp.engines.backends.llama_cpp import LlamaBackend
from codegemma_lsp.engines.backends.llama_weights import borrow
from codegemma_lsp.engines.generation import Backend
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import EngineFailed, OnProgress, Options
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.vocabulary import Vocabulary


class LlamaEngine(ScheduledEngine):
    """An ``Engine`` on a GGUF file, whose weights it shares with other engines on the same file. The constructor blocks
    until the model is in memory, so call it in a thread."""

    def __init__(
        self,
        path: Path,
        options: Options,
        on_progress: OnProgress = lambda _: True,
        gate: PriorityGate | None = None,
    ) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self._path, self._options, self._on_progress = path, options, on_progress
        name = f"{path.stem}+{options.adapter.stem}" if options.adapter is not None else path.stem
        super().__init__(name, options.slots, gate, options.saved_mb)

    def _open(self) -> tuple[Backend, Vocabulary]:
        options = self._options
        model = borrow(self._path, options.gpu_layers, self._on_progress)
        try:
            native = LlamaBackend(model, options, self._should_stop, self._on_progress)
        except BaseException:
            model.release()
            raise
        try:
            native.measure(options.threads, options.batch_threads)
            self._model = model
            return native, model.vocabulary(options.infill_format, native.encode)
        except BaseException:
            native.close()
            raise

    def _check(self) -> None:
        adapter = self._options.adapter
        if adapter is not None and not self._model.knows(adapter):
            raise EngineFailed(f"The adapter {adapter} has changed, so the model is loaded again.")
        if self._model.has_changed():
            raise EngineFailed(f"The model file {self._path} has changed, so it is loaded again.")
