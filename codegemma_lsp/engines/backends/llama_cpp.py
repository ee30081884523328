"""A context of llama.cpp, through llama-cpp-python's low-level API.

An instance is used by one thread at a time. ``Llama`` of llama-cpp-python is not used: it cannot be cancelled, keeps
one sequence, and passes wrong infill ids (see ARCHITECTURE.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp as llama
import numpy as np

from codegemma_lsp.engines.backends.llama_weights import LlamaModel, Measured
from codegemma_lsp.engines.generation import Decoded
from codegemma_lsp.engines.protocol import EngineFailed, ModelUnusable, OnProgress, Options
from codegemma_lsp.engines.sampling import Logits
from codegemma_lsp.engines.threads import fastest, processors
from codegemma_lsp.settings import KvCache

_DRAFTED = 6
"""Tokens by which the cost of drafts is measured."""
_ROUNDS, _ENOUGH_S = 3, 0.3
"""Of that measurement: at most so many, and none begun after so many seconds."""
_MEASURED_BATCH = 24
"""Prompt tokens by which the threads for reading are measured."""
_UNDISTURBED = 16
"""Tokens of the longest batch that is not aborted. llama.cpp asks whether to abort at each of several hundred nodes of
its graph, and to ask Python takes a sixth of a token's time; a longer batch takes so long that it does not matter."""
_NUMBERS = {KvCache.F16: llama.GGML_TYPE_F16, KvCache.Q8_0: llama.GGML_TYPE_Q8_0}
_NEVER = llama.ggml_abort_callback()


class LlamaBackend:
    """A context on a model. ``slots`` sequences of ``context_tokens`` each; batches of at most ``batch_tokens``.

    Raises ``ModelUnusable``; closing it leaves the model to whoever borrowed it.
    """

    def __init__(
        self,
        model: LlamaModel,
        options: Options,
        should_abort: Callable[[], bool],
        on_progress: OnProgress = lambda _: True,
    ) -> None:
        self.model = model
        self._batch: Any = None
        trained = model.trained_tokens
        self.context_tokens = min(options.context_tokens, trained) if trained > 0 else options.context_tokens
        self._measuring, self._deadline, self._on_progress = False, math.inf, on_progress
        self._abort = llama.ggml_abort_callback(lambda _: should_abort() or self._given_up())
        self.batch_tokens = options.batch_tokens
        self._context: Any = self._make_context(options)
        self._memory = llama.llama_get_memory(self._context)
        self._batch = llama.llama_batch_init(self.batch_tokens, 0, 1)
        self._arrays = {
            name: np.ctypeslib.as_array(getattr(self._batch, name), shape=(self.batch_tokens,))
            for name in ("token", "pos", "n_seq_id", "logits")
        }
        self.draft_cost = 1.0
        self.threads = self.batch_threads = 1

    def _make_context(self, options: Options) -> Any:
        params = llama.llama_context_default_params()
        params.n_ctx = self.context_tokens * options.slots
        params.n_seq_max = options.slots
        # llama.cpp asserts that a batch could hold one token of each sequence.
        params.n_batch = params.n_ubatch = max(self.batch_tokens, options.slots)
        params.type_k = params.type_v = _NUMBERS[options.kv_cache]
        params.kv_unified = False
        params.swa_full = True
        params.no_perf = True
        context = llama.llama_init_from_model(self.model.pointer, params)
        if not context:
            raise ModelUnusable(
                f"There is not enough memory for {options.slots} slots of {self.context_tokens} tokens with this model;"
                " lower contextTokens or slots, or choose a smaller model."
            )
        return context

    def decode(self, slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        """Reads at most ``batch_tokens`` tokens into a slot; logits are kept for the last ``scored`` of them."""
        count = len(tokens)
        self._arrays["token"][:count] = tokens
        self._arrays["pos"][:count] = range(position, position + count)
        self._arrays["n_seq_id"][:count] = 1
        self._arrays["logits"][: count - scored] = 0
        self._arrays["logits"][count - scored : count] = 1
        for i in range(count):
            self._batch.seq_id[i][0] = slot
        self._batch.n_tokens = count
        llama.llama_set_abort_callback(self._context, self._abort if count > _UNDISTURBED else _NEVER, None)
        status = llama.llama_decode(self._context, self._batch)
        if status == 0:
            return Decoded.DONE
        if status == 2:
            return Decoded.ABORTED
        raise EngineFailed(f"llama.cpp could not process {count} tokens (code {status}); the engine starts again.")

    def logits(self, back: int = 0) -> Logits:
        """Scores of the token ``back`` before the last one, shape (vocabulary,): a view that ``decode`` overwrites."""
        pointer = llama.llama_get_logits_ith(self._context, -1 - back)
        return np.ctypeslib.as_array(pointer, shape=(self.model.size,))

    def use_threads(self, generating: int, reading: int) -> None:
        """Processor threads for one token at a time, and for batches of a prompt."""
        self.threads, self.batch_threads = generating, reading
        llama.llama_set_n_threads(self._context, generating, reading)

    def measure(self, threads: int, batch_threads: int) -> None:
        """Sets the threads, or finds how many are fastest where a number is 0, and ``draft_cost``; leaves the cache
        empty. What was found is kept with the weights, for other engines on them. Ends early where loading is given
        up."""
        if (known := self.model.measured) is not None and not (threads or batch_threads):
            self.use_threads(known.threads, known.batch_threads)
            self.draft_cost = known.draft_cost
            return
        self._measuring, self.draft_cost = True, 1.0
        self.use_threads(threads or processors(), batch_threads or processors())
        self._timed(1, 0)  # reads the file into memory
        if not threads:
            self.use_threads(fastest(self._generating), self.batch_threads)
        if not batch_threads:
            self.use_threads(self.threads, fastest(self._reading))
        self._deadline = math.inf
        self._measure_drafts()
        whole, self._measuring = not self._given_up(), False
        self.trim(0, 0)
        if whole and not (threads or batch_threads):
            self.model.measured = Measured(self.threads, self.batch_threads, self.draft_cost)

    def _generating(self, threads: int, limit: float) -> float:
        """Seconds for a few tokens one by one, or those until it was given up after ``limit``."""
        self.use_threads(threads, self.batch_threads)
        return self._until(limit, (1, 0), (1, 1), (1, 2), (1, 3))

    def _reading(self, threads: int, limit: float) -> float:
        """The same for a part of a prompt."""
        self.use_threads(self.threads, threads)
        return self._until(limit, (min(_MEASURED_BATCH, self.batch_tokens), 0))

    def _until(self, limit: float, *steps: tuple[int, int]) -> float:
        began = time.perf_counter()
        self._deadline = began + limit
        all(self._timed(count, position) is not None for count, position in steps)
        return time.perf_counter() - began

    def _measure_drafts(self) -> None:
        """Leaves ``draft_cost`` at 1, so that nothing is ever guessed, where a wrong guess could not be taken back."""
        times: dict[int, list[float]] = {1: [], _DRAFTED: []}
        began = time.perf_counter()
        self._timed(_DRAFTED, 0)
        while len(times[1]) < _ROUNDS and (not times[1] or time.perf_counter() - began < _ENOUGH_S):
            for count, found in times.items():
                took = self._timed(count, _DRAFTED)
                if took is None:
                    return
                found.append(took)
        one, several = min(times[1]), min(times[_DRAFTED])
        self.draft_cost = (several - one) / ((_DRAFTED - 1) * one)

    def _timed(self, count: int, position: int) -> float | None:
        """Seconds for reading ``count`` tokens that are all scored; None where it was given up, or the cache cannot be
        cut to ``position`` or does not reach it."""
        if self._given_up() or self.trim(0, position) != position:
            return None
        began = time.perf_counter()
        done = self.decode(0, [max(0, llama.llama_vocab_bos(self.model.vocab))] * count, position, count)
        return time.perf_counter() - began if done is Decoded.DONE else None

    def _given_up(self) -> bool:
        """Whether a measurement is to end: it has taken too long, or nobody wants the model any more."""
        return self._measuring and (time.perf_counter() > self._deadline or not self._on_progress(1.0))

    def trim(self, slot: int, length: int) -> int:
        """Drops what a slot holds from position ``length`` on, and returns how many tokens it holds then."""
        if not llama.llama_memory_seq_rm(self._memory, slot, length, -1):
            llama.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return int(llama.llama_memory_seq_pos_max(self._memory, slot)) + 1

    def encode(self, text: bytes, special: bool = False) -> list[int]:
        """As ``LlamaModel.encode``, until this context is closed. Raises ``EngineFailed``."""
        if self._context is None:
            raise EngineFailed("The engine was closed.")
        return self.model.encode(text, special)

    @property
    def chat_template(self) -> str:
        return self.model.chat_template

    def close(self) -> None:
        if self._batch is not None:
            llama.llama_batch_free(self._batch)
            self._batch = None
        if self._context is not None:
            llama.llama_free(self._context)
            self._context = None
            self.model.release()


def kernels() -> str:
    """The instruction sets that llama.cpp was built for and found, by which two builds of it can be compared."""
    return " ".join(llama.llama_print_system_info().decode().split())
