"""The engine on a GGUF file: the decoding loop over llama.cpp."""

from __future__ import annotations

from pathlib import Path

from codegemma_lsp.engines.base import OnProgress, Options
from codegemma_lsp.engines.llama_model import borrow
from codegemma_lsp.engines.loop import LoopEngine
from codegemma_lsp.engines.native import Native
from codegemma_lsp.engines.order import Order
from codegemma_lsp.engines.run import Backend
from codegemma_lsp.engines.vocabulary import Vocabulary


class LlamaEngine(LoopEngine):
    """An ``Engine`` on a GGUF file, whose weights it shares with others on the same file. Making one blocks until the
    model is in memory: do it in a thread."""

    def __init__(
        self,
        path: Path,
        options: Options,
        on_progress: OnProgress = lambda _: True,
        order: Order | None = None,
    ) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self._path, self._options, self._on_progress = path, options, on_progress
        super().__init__(path.stem, options.slots, order)

    def _open(self) -> tuple[Backend, Vocabulary]:
        options = self._options
        model = borrow(self._path, options.gpu_layers, self._on_progress)
        try:
            native = Native(model, options, self._should_stop, self._on_progress)
        except BaseException:
            model.release()
            raise
        try:
            native.measure(options.threads, options.batch_threads)
            return native, model.vocabulary(options.infill_format, native.encode)
        except BaseException:
            native.close()
            raise
