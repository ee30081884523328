"""The engine on a GGUF file: the decoding loop over llama.cpp."""

from __future__ import annotations

from pathlib import Path

from codegemma_lsp.engines.backends.llama_cpp import LlamaBackend
from codegemma_lsp.engines.backends.llama_weights import borrow
from codegemma_lsp.engines.generation import Backend
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import OnProgress, Options
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.vocabulary import Vocabulary


class LlamaEngine(ScheduledEngine):
    """An ``Engine`` on a GGUF file, whose weights it shares with others on the same file. Making one blocks until the
    model is in memory: do it in a thread."""

    def __init__(
        self,
        path: Path,
        options: Options,
        on_progress: OnProgress = lambda _: True,
        gate: PriorityGate | None = None,
    ) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self._path, self._options, self._on_progress = path, options, on_progress
        super().__init__(path.stem, options.slots, gate)

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
            return native, model.vocabulary(options.infill_format, native.encode)
        except BaseException:
            native.close()
            raise
