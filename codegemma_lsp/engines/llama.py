"""The engine on a GGUF file: the decoding loop over llama.cpp."""

from __future__ import annotations

from pathlib import Path

from codegemma_lsp.engines.base import OnProgress, Options
from codegemma_lsp.engines.loop import LoopEngine
from codegemma_lsp.engines.native import Native
from codegemma_lsp.engines.run import Backend
from codegemma_lsp.engines.vocabulary import Vocabulary


class LlamaEngine(LoopEngine):
    """An ``Engine`` on a GGUF file. Making one blocks until the model is in memory: do it in a thread."""

    def __init__(self, path: Path, options: Options, on_progress: OnProgress = lambda _: True) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self._path, self._options, self._on_progress = path, options, on_progress
        super().__init__(path.stem, options.slots)

    def _open(self) -> tuple[Backend, Vocabulary]:
        options = self._options
        native = Native(
            self._path,
            options.context_tokens,
            options.slots,
            options.batch_tokens,
            options.threads or 1,
            options.gpu_layers,
            self._should_stop,
            self._on_progress,
        )
        try:
            native.measure(options.threads)
            return native, _vocabulary(native)
        except BaseException:
            native.close()
            raise


def _vocabulary(native: Native) -> Vocabulary:
    specials = native.specials()
    spellings = [native.text(token) for token in specials.values()]
    pieces, controls = native.pieces(), native.controls()
    return Vocabulary(pieces, specials, spellings, controls, native.encode, native.begins_with_bos())
