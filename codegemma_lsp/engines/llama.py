"""The engine on a GGUF file: the decoding loop over llama.cpp."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from codegemma_lsp.engines.base import OnProgress, Options
from codegemma_lsp.engines.loop import LoopEngine
from codegemma_lsp.engines.native import Native
from codegemma_lsp.engines.order import Order
from codegemma_lsp.engines.run import Backend
from codegemma_lsp.engines.vocabulary import Vocabulary


class LlamaEngine(LoopEngine):
    """An ``Engine`` on a GGUF file. Making one blocks until the model is in memory: do it in a thread."""

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
    names = {special: native.text(token) for special, token in specials.items()}
    return Vocabulary(
        native.pieces(),
        specials,
        names,
        native.controls(),
        native.encode,
        native.begins_with_bos(),
        native.control_texts(),
        partial(native.encode, special=True),
    )
