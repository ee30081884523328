"""A context of llama.cpp, through llama-cpp-python's low-level API.

An instance is used by one thread at a time. The class ``Llama`` of llama-cpp-python is not used, because it cannot be
cancelled, keeps one sequence, and passes wrong infill ids (see docs/architecture.md).
"""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import llama_cpp as llama
import numpy as np

from codegemma_lsp.engines.backends.llama_weights import LlamaModel, Measured, system_info
from codegemma_lsp.engines.generation import Decoded
from codegemma_lsp.engines.protocol import EngineError, EngineFailed, ModelUnusable, OnProgress, Options
from codegemma_lsp.engines.sampling import Logits
from codegemma_lsp.engines.threads import AdaptiveThreads, fastest, processors
from codegemma_lsp.settings import KvCache

_DRAFTED = 6
"""The number of tokens in the batch that measures the cost of drafts."""
_ROUNDS, _ENOUGH_S = 3, 0.3
"""The maximum number of rounds of that measurement, and the number of seconds after which none begins."""
_MEASURED_BATCH = 48
"""The number of prompt tokens with which the threads for prefill are measured."""
_TELLING_BATCH, _READS_A_PROBE = 32, 12
"""The number of tokens from which a batch measures the prefill speed, and the number of batches after which another
number of threads is tried."""
_UNDISTURBED = 16
"""The number of tokens up to which a batch is not aborted. llama.cpp calls the abort callback at each of several
hundred nodes of its graph, and calling Python takes a sixth of a token's time. In longer batches this is negligible."""
_NUMBERS = {KvCache.F16: llama.GGML_TYPE_F16, KvCache.Q8_0: llama.GGML_TYPE_Q8_0}
_NEVER = llama.ggml_abort_callback()


class LlamaBackend:
    """A llama.cpp context with ``slots`` sequences of ``context_tokens`` each and batches of at most ``batch_tokens``.

    Raises ``ModelUnusable``, in which case the caller must release the model. Otherwise ``close`` releases it.
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
        self.prefill_speed = 0.0
        self.threads = self.batch_threads = 1
        self._generating_threads: AdaptiveThreads | None = None
        self._reading_threads: AdaptiveThreads | None = None

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
        if options.adapter is not None:
            self._use_adapter(context, options.adapter)
        return context

    def _use_adapter(self, context: Any, path: Path) -> None:
        """Has a context apply an adapter. Frees the context and raises ``ModelNotFound`` or ``ModelUnusable`` if it
        cannot be used."""
        try:
            pointers = (llama.llama_adapter_lora_p_ctypes * 1)(self.model.adapter(path))
        except EngineError:
            llama.llama_free(context)
            raise
        llama.llama_set_adapters_lora(context, pointers, 1, (ctypes.c_float * 1)(1.0))

    def decode(self, slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        """Decodes at most ``batch_tokens`` tokens into a slot, and keeps the logits of the last ``scored`` of them."""
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
        status = self._run(count)
        if status == 0:
            return Decoded.DONE
        if status == 2:
            return Decoded.ABORTED
        raise EngineFailed(f"llama.cpp could not process {count} tokens (code {status}); the engine starts again.")

    def _run(self, count: int) -> int:
        """Decodes the batch with the number of threads that is currently fastest for its length."""
        reading = count >= _TELLING_BATCH
        threads = self._reading_threads if reading else self._generating_threads if count == 1 else None
        if threads is None or self._measuring:
            return int(llama.llama_decode(self._context, self._batch))
        chosen = threads.next()
        self.use_threads(self.threads if reading else chosen, chosen if reading else self.batch_threads)
        began = time.perf_counter()
        status = int(llama.llama_decode(self._context, self._batch))
        if status == 0:
            threads.took(chosen, (time.perf_counter() - began) / count)
        return status

    def logits(self, back: int = 0) -> Logits:
        """Returns the logits of the token ``back`` before the last one, of shape (vocabulary,). ``decode`` overwrites
        them."""
        pointer = llama.llama_get_logits_ith(self._context, -1 - back)
        return np.ctypeslib.as_array(pointer, shape=(self.model.size,))

    def use_threads(self, generating: int, reading: int) -> None:
        """Sets the processor threads for single tokens and for batches of a prompt."""
        self.threads, self.batch_threads = generating, reading
        llama.llama_set_n_threads(self._context, generating, reading)

    def measure(self, threads: int, batch_threads: int) -> None:
        """Sets the numbers of threads, or measures which is fastest where a number is 0, and measures ``draft_cost``.

        It leaves the cache empty. The results are kept with the weights for other engines on them. It ends early if
        loading is cancelled.
        """
        if (known := self.model.measured) is not None and not (threads or batch_threads):
            self.use_threads(known.threads, known.batch_threads)
            self.draft_cost, self.prefill_speed = known.draft_cost, known.prefill_speed
            self._follow_the_machine(threads, batch_threads)
            return
        self._measuring, self.draft_cost = True, 1.0
        self.use_threads(threads or processors(), batch_threads or processors())
        self._timed(1, 0)  # reads the file into memory
        if not threads:
            self.use_threads(fastest(self._generating), self.batch_threads)
        if not batch_threads:
            self.use_threads(self.threads, fastest(self._reading))
        self.prefill_speed = min(_MEASURED_BATCH, self.batch_tokens) / self._reading(self.batch_threads, math.inf)
        self._deadline = math.inf
        self._measure_drafts()
        whole, self._measuring = not self._given_up(), False
        self.trim(0, 0)
        self._follow_the_machine(threads, batch_threads)
        if whole and not (threads or batch_threads):
            self.model.measured = Measured(
                threads=self.threads,
                batch_threads=self.batch_threads,
                draft_cost=self.draft_cost,
                prefill_speed=self.prefill_speed,
            )

    def _follow_the_machine(self, threads: int, batch_threads: int) -> None:
        """Adapts those numbers of threads that were not set to the machine from now on."""
        self._generating_threads = None if threads else AdaptiveThreads(self.threads)
        self._reading_threads = None if batch_threads else AdaptiveThreads(self.batch_threads, every=_READS_A_PROBE)

    def _generating(self, threads: int, limit: float) -> float:
        """Returns the seconds that a few single tokens take, or the seconds until ``limit`` stopped the measurement."""
        self.use_threads(threads, self.batch_threads)
        return self._until(limit, (1, 0), (1, 1), (1, 2), (1, 3))

    def _reading(self, threads: int, limit: float) -> float:
        """Returns the same for a part of a prompt."""
        self.use_threads(self.threads, threads)
        return self._until(limit, (min(_MEASURED_BATCH, self.batch_tokens), 0))

    def _until(self, limit: float, *steps: tuple[int, int]) -> float:
        """Returns the seconds of all steps as if each took the median, because a shared machine stalls one in ten."""
        began = time.perf_counter()
        self._deadline = began + limit
        found: list[float] = []
        for count, position in steps:
            took = self._timed(count, position)
            if took is None:
                return time.perf_counter() - began
            found.append(took)
        return len(found) * median(found)

    def _measure_drafts(self) -> None:
        """Measures ``draft_cost``. It stays 1, so that nothing is ever guessed, if a wrong guess could not be removed
        from the cache."""
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
        """Returns the seconds that ``count`` tokens take if all are scored. The result is None if the measurement was
        given up, or if the cache cannot be cut to ``position`` or does not reach it."""
        if self._given_up() or self.trim(0, position) != position:
            return None
        began = time.perf_counter()
        done = self.decode(0, [max(0, llama.llama_vocab_bos(self.model.vocab))] * count, position, count)
        return time.perf_counter() - began if done is Decoded.DONE else None

    def _given_up(self) -> bool:
        """Returns whether a measurement must end, because it has taken too long or because loading was cancelled."""
        return self._measuring and (time.perf_counter() > self._deadline or not self._on_progress(1.0))

    def trim(self, slot: int, length: int) -> int:
        """Drops what a slot holds from position ``length`` on, and returns how many tokens it then holds."""
        if not llama.llama_memory_seq_rm(self._memory, slot, length, -1):
            llama.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return int(llama.llama_memory_seq_pos_max(self._memory, slot)) + 1

    def save(self, slot: int) -> bytes | None:
        size = llama.llama_state_seq_get_size(self._context, slot)
        buffer = (ctypes.c_uint8 * size)()
        written = llama.llama_state_seq_get_data(self._context, buffer, size, slot)
        return bytes(buffer) if written == size else None

    def restore(self, slot: int, data: bytes) -> bool:
        llama.llama_memory_seq_rm(self._memory, slot, -1, -1)
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        if llama.llama_state_seq_set_data(self._context, buffer, len(data), slot) == len(data):
            return True
        llama.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False

    def encode(self, text: bytes, special: bool = False) -> list[int]:
        """Encodes as ``LlamaModel.encode`` does until this context is closed. Raises ``EngineFailed``."""
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
    """Returns the instruction sets that llama.cpp was built for and found, by which two builds can be compared."""
    return " ".join(system_info().split())
