"""llama.cpp through llama-cpp-python's low-level API: the only importer of llama_cpp.

An instance is used by one thread at a time. ``Llama`` of llama-cpp-python is not used: it cannot be cancelled, keeps
one sequence, and passes wrong infill ids (see ARCHITECTURE.md).
"""

from __future__ import annotations

import ctypes
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp as llama
import numpy as np

from codegemma_lsp.engines.base import EngineFailed, LoadCancelled, ModelNotFound, ModelUnusable, OnProgress
from codegemma_lsp.engines.run import Decoded
from codegemma_lsp.engines.sampling import Logits
from codegemma_lsp.engines.threads import fastest
from codegemma_lsp.prompt import CODEGEMMA_IDS, Special

log = logging.getLogger(__name__)

_GGML_LOG_LEVEL_ERROR = 4
_CONTROL = re.compile(r"<\|[^\n]{1,40}\|>")
_DRAFTED = 6
"""Tokens by which the cost of drafts is measured."""
_ROUNDS, _ENOUGH_S = 3, 0.3
"""Of that measurement: at most so many, and none begun after so many seconds."""
_first_error = ""
"""What llama.cpp has logged as an error first since it was cleared: its log is one for the whole process."""


def _log(level: int, text: bytes, _: Any) -> None:
    global _first_error
    line = text.decode(errors="replace").strip()
    if level == _GGML_LOG_LEVEL_ERROR and not _first_error:
        _first_error = line.split(": ", 1)[-1]
    log.debug("%s", line)


_on_log = llama.llama_log_callback(_log)


class Native:
    """A model and its context. ``slots`` sequences of ``context_tokens`` each; batches of at most ``batch_tokens``.

    Raises ``ModelNotFound``, ``ModelUnusable``.
    """

    def __init__(
        self,
        path: Path,
        context_tokens: int,
        slots: int,
        batch_tokens: int,
        threads: int,
        gpu_layers: int,
        should_abort: Callable[[], bool],
        on_progress: OnProgress = lambda _: True,
    ) -> None:
        llama.llama_log_set(_on_log, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self._freeing = threading.Lock()
        """Held while the vocabulary is read by another thread than the engine's, and while the model is freed."""
        self._context: Any = None
        self._batch: Any = None
        self._model = self._load(path, gpu_layers, on_progress)
        self.vocab = llama.llama_model_get_vocab(self._model)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        trained = llama.llama_model_n_ctx_train(self._model)
        self.context_tokens = min(context_tokens, trained) if trained > 0 else context_tokens
        self._measuring, self._deadline, self._on_progress = False, math.inf, on_progress
        self._abort = llama.ggml_abort_callback(lambda _: should_abort() or self._given_up())
        self._context = self._make_context(path, slots, batch_tokens, threads)
        self._memory = llama.llama_get_memory(self._context)
        self._batch = llama.llama_batch_init(batch_tokens, 0, 1)
        self._arrays = {
            name: np.ctypeslib.as_array(getattr(self._batch, name), shape=(batch_tokens,))
            for name in ("token", "pos", "n_seq_id", "logits")
        }
        self.batch_tokens = batch_tokens
        self.draft_cost = 1.0
        self.threads = threads

    @staticmethod
    def _load(path: Path, gpu_layers: int, on_progress: OnProgress) -> Any:
        global _first_error
        _first_error = ""
        check_file(path)
        wanted = True
        params = llama.llama_model_default_params()
        params.n_gpu_layers = gpu_layers

        def progress(share: float, _: Any) -> bool:
            nonlocal wanted
            wanted = on_progress(share)
            return wanted

        params.progress_callback = callback = llama.llama_progress_callback(progress)
        model = llama.llama_model_load_from_file(str(path).encode(), params)
        del callback  # llama.cpp calls it until here
        if not model and not wanted:
            raise LoadCancelled(f"Loading {path} was given up.")
        if not model:
            reason = _first_error or "llama.cpp gives no reason"
            raise ModelUnusable(
                f"The model file {path} cannot be loaded ({reason}); it may be incomplete: download it again."
            )
        return model

    def _make_context(self, path: Path, slots: int, batch_tokens: int, threads: int) -> Any:
        params = llama.llama_context_default_params()
        params.n_ctx = self.context_tokens * slots
        params.n_seq_max = slots
        # llama.cpp asserts that a batch could hold one token of each sequence.
        params.n_batch = params.n_ubatch = max(batch_tokens, slots)
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = False
        params.swa_full = True
        params.no_perf = True
        params.abort_callback = self._abort
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            self.close()
            raise ModelUnusable(
                f"There is not enough memory for {path.name} with {slots} slots of {self.context_tokens} tokens;"
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
        status = llama.llama_decode(self._context, self._batch)
        if status == 0:
            return Decoded.DONE
        if status == 2:
            return Decoded.ABORTED
        raise EngineFailed(f"llama.cpp could not process {count} tokens (code {status}); the engine starts again.")

    def logits(self, back: int = 0) -> Logits:
        """Scores of the token ``back`` before the last one, shape (vocabulary,): a view that ``decode`` overwrites."""
        pointer = llama.llama_get_logits_ith(self._context, -1 - back)
        return np.ctypeslib.as_array(pointer, shape=(self.size,))

    def use_threads(self, count: int) -> None:
        self.threads = count
        llama.llama_set_n_threads(self._context, count, count)

    def measure(self, threads: int) -> None:
        """Sets ``threads``, or finds how many are fastest where that is 0, and ``draft_cost``; leaves the cache empty.
        Ends early where loading is given up."""
        self._measuring, self.draft_cost = True, 1.0
        self.use_threads(threads or 1)
        self._timed(1, 0)  # reads the file into memory
        if not threads:
            self.use_threads(fastest(self._keystroke))
        self._deadline = math.inf
        self._measure_drafts()
        self._measuring = False
        self.trim(0, 0)

    def _keystroke(self, threads: int, limit: float) -> float:
        """Seconds for a few tokens read and a few generated, or those until it was given up after ``limit``."""
        self.use_threads(threads)
        began = time.perf_counter()
        self._deadline = began + limit
        all(self._timed(count, position) is not None for count, position in ((8, 0), (1, 8), (1, 9), (1, 10)))
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
        if self.trim(0, position) != position:
            return None
        began = time.perf_counter()
        done = self.decode(0, [max(0, llama.llama_vocab_bos(self.vocab))] * count, position, count)
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
        """Token ids, with no BOS; ``special``: text that spells special tokens is them. Raises ``EngineFailed`` once
        the model is freed."""
        room = len(text) + 8
        tokens = (llama.llama_token * room)()
        with self._freeing:
            if self._model is None:
                raise EngineFailed("The engine was closed.")
            count = llama.llama_tokenize(self.vocab, text, len(text), tokens, room, False, special)
        return list(tokens[:count])

    def pieces(self) -> list[bytes]:
        """Each token's bytes, empty for control tokens."""
        buffer = ctypes.create_string_buffer(512)
        found = []
        for token in range(self.size):
            size = llama.llama_token_to_piece(self.vocab, token, buffer, 512, 0, False)
            found.append(buffer.raw[:size] if size > 0 else b"")
        return found

    @cached_property
    def _attributes(self) -> list[int]:
        """What each token is, as a set of flags."""
        return [llama.llama_vocab_get_attr(self.vocab, token) for token in range(self.size)]

    def controls(self) -> frozenset[int]:
        """Ids that stand for no text or end generation."""
        unusable = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN | llama.LLAMA_TOKEN_ATTR_UNUSED
        return frozenset(
            token
            for token, attributes in enumerate(self._attributes)
            if attributes & unusable or llama.llama_vocab_is_eog(self.vocab, token)
        )

    def control_texts(self) -> list[str]:
        """Texts by which the vocabulary names tokens that are to be recognised wherever they stand, as in ``<|x|>``."""
        wanted = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_USER_DEFINED
        marked = (token for token, attributes in enumerate(self._attributes) if attributes & wanted)
        return [text for token in marked if _CONTROL.fullmatch(text := self.text(token))]

    @property
    def chat_template(self) -> str:
        """The template in the file's metadata; "" where it has none, or the model is freed."""
        with self._freeing:
            found = llama.llama_model_chat_template(self._model, None) if self._model is not None else None
        return found.decode(errors="replace") if found else ""

    def begins_with_bos(self) -> bool:
        return bool(llama.llama_vocab_get_add_bos(self.vocab))

    def specials(self) -> dict[Special, int]:
        """Ids of the special tokens: by the file's metadata, else by their text, else CodeGemma's own; each confirmed
        by tokenizing the token's text. Those that the model lacks are left out."""
        by_metadata = {
            Special.BOS: llama.llama_vocab_bos(self.vocab),
            Special.EOS: llama.llama_vocab_eos(self.vocab),
            Special.FIM_PREFIX: llama.llama_vocab_fim_pre(self.vocab),
            Special.FIM_SUFFIX: llama.llama_vocab_fim_suf(self.vocab),
            Special.FIM_MIDDLE: llama.llama_vocab_fim_mid(self.vocab),
            Special.FILE_SEPARATOR: llama.llama_vocab_fim_sep(self.vocab),
            Special.END_OF_TURN: llama.llama_vocab_eot(self.vocab),
        }
        found = {}
        for special in Special:
            by_text = self.encode(special.value.encode(), special=True)
            candidates = [by_metadata.get(special, -1), by_text[0] if len(by_text) == 1 else -1]
            if self.text(CODEGEMMA_IDS[special]) == special.value:
                candidates.append(CODEGEMMA_IDS[special])
            for token in candidates:
                if token >= 0 and self.encode(self.text(token).encode(), special=True) == [token]:
                    found[special] = token
                    break
        return found

    def text(self, token: int) -> str:
        """The text by which the vocabulary names a token; empty for an id that it does not have."""
        if not 0 <= token < self.size:
            return ""
        return str(llama.llama_vocab_get_text(self.vocab, token).decode(errors="replace"))

    def close(self) -> None:
        if self._batch is not None:
            llama.llama_batch_free(self._batch)
            self._batch = None
        if self._context is not None:
            llama.llama_free(self._context)
            self._context = None
        with self._freeing:
            if self._model is not None:
                llama.llama_model_free(self._model)
                self._model = None


def kernels() -> str:
    """The instruction sets that llama.cpp was built for and found, by which two builds of it can be compared."""
    return " ".join(llama.llama_print_system_info().decode().split())


def check_file(path: Path) -> None:
    """Raises ``ModelNotFound`` or ``ModelUnusable`` for what llama.cpp would refuse with less to say."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise ModelNotFound(
            f"There is no model file at {path}; correct the setting model, or remove it to use nano."
        ) from None
    except OSError as error:
        raise ModelUnusable(f"The model file {path} cannot be read ({error.strerror}).") from None
    if magic != b"GGUF":
        raise ModelUnusable(f"{path} is not a GGUF file; convert the model, or choose a file that ends in .gguf.")
