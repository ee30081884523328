"""The weights and the vocabulary of a GGUF file, loaded by llama.cpp once for all engines that use them."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import llama_cpp as llama

from codegemma_lsp.engines.protocol import EngineFailed, LoadCancelled, ModelNotFound, ModelUnusable, OnProgress
from codegemma_lsp.engines.vocabulary import SpecialTokens, Vocabulary
from codegemma_lsp.files import is_regular
from codegemma_lsp.models.store import MAGIC
from codegemma_lsp.prompt import BY_NAME, About, Family, InfillFormat, Special, family_of

log = logging.getLogger(__name__)

_GGML_LOG_LEVEL_ERROR = 4
_METADATA = ("general.name", "general.basename", "general.finetune")
_first_error = ""
"""The first error that llama.cpp has logged since this was cleared. The whole process shares one log."""


def _log(level: int, text: bytes, _: Any) -> None:
    global _first_error
    line = text.decode(errors="replace").strip()
    if level == _GGML_LOG_LEVEL_ERROR and not _first_error:
        _first_error = line.split(": ", 1)[-1]
    log.debug("%s", line)


_on_log = llama.llama_log_callback(_log)
Encode: TypeAlias = Callable[..., list[int]]
_Key: TypeAlias = tuple[Path, int, int, int]
"""A file, what ``_age`` says of it, and how many of its layers are on a GPU."""
_shared: dict[_Key, LlamaModel] = {}
_locks: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)
"""One lock for each file, held while it is loaded or freed, so that two engines never load it twice."""
_locking = threading.Lock()


def _age(path: Path) -> tuple[int, int]:
    """Returns the time of the last change, in nanoseconds, and the size in bytes."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _lock_of(key: _Key) -> threading.Lock:
    with _locking:
        return _locks[key]


def borrow(path: Path, gpu_layers: int, on_progress: OnProgress = lambda _: True) -> LlamaModel:
    """Returns the file's model, which engines in this process share. Each of them must call ``release``.

    Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``.
    """
    check_file(path)
    key = (path.resolve(), *_age(path), gpu_layers)
    with _lock_of(key):
        model = _shared.get(key)
        if model is None:
            model = _shared[key] = LlamaModel(path, gpu_layers, key, on_progress)
        elif not on_progress(1.0):
            raise LoadCancelled(f"Loading {path} was given up.")
        model.users += 1
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The numbers of processor threads that were fastest for generation and for prefill, the cost of a draft token, and
    how many prompt tokens are prefilled in a second."""

    threads: int
    batch_threads: int
    draft_cost: float
    prefill_speed: float


class LlamaModel:
    """Weights and a vocabulary. They are never changed, so that engines in different threads can share them."""

    def __init__(self, path: Path, gpu_layers: int, key: _Key, on_progress: OnProgress) -> None:
        llama.llama_log_set(_on_log, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self.users = 0
        self.measured: Measured | None = None
        self._key = key
        self._adapters: dict[tuple[Path, int, int], Any] = {}
        self._freeing = threading.Lock()
        """Held while the vocabulary is read, and while the model is freed."""
        self.pointer: Any = _load(path, gpu_layers, on_progress)
        self.vocab = llama.llama_model_get_vocab(self.pointer)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        self.trained_tokens = llama.llama_model_n_ctx_train(self.pointer)

    def has_changed(self) -> bool:
        """Returns whether its file is another than the one that was loaded. llama.cpp maps the file, and reads what it
        has become. What is mapped of a file that was removed stays as it was."""
        path, *age, _ = self._key
        try:
            return age != [*_age(path)]
        except OSError:
            return False

    def adapter(self, path: Path) -> Any:
        """Returns a LoRA adapter of this model, which is read once and freed with the model.

        Raises ``ModelNotFound`` or ``ModelUnusable``.
        """
        global _first_error
        check_file(path, "adapter")
        key = (path.resolve(), *_age(path))
        with _lock_of(self._key):
            if key not in self._adapters:
                _first_error = ""
                found = llama.llama_adapter_lora_init(self.pointer, str(path).encode())
                if not found:
                    reason = _first_error or "llama.cpp gives no reason"
                    raise ModelUnusable(
                        f"The adapter {path} cannot be used with this model ({reason}); choose the model for which it"
                        " was made, or empty the setting adapter."
                    )
                self._adapters[key] = found
            return self._adapters[key]

    def knows(self, adapter: Path) -> bool:
        """Returns whether a file is still as it was when it was read as an adapter, or gone."""
        try:
            return (adapter.resolve(), *_age(adapter)) in self._adapters
        except OSError:
            return True

    def release(self) -> None:
        """Frees the model if no engine uses it any more."""
        with _lock_of(self._key):
            self.users -= 1
            if self.users:
                return
            del _shared[self._key]
            with self._freeing:
                pointer, self.pointer = self.pointer, None
                llama.llama_model_free(pointer)

    def vocabulary(self, infill_format: InfillFormat, encode: Encode) -> Vocabulary:
        """Returns the vocabulary, with the infill format that its file implies or that a user has set. ``encode`` is
        this model's tokenizer as the caller may use it."""
        found = self.family if infill_format is InfillFormat.AUTO else BY_NAME[infill_format]
        specials = self.specials(found)
        ends = {token for text in found.ends if (token := self.find(text)) is not None}
        special_tokens = SpecialTokens(
            ids=specials,
            names={special: self.text(token) for special, token in specials.items()},
            controls=self.controls | ends,
            spellings=(*self.control_texts, *found.texts.values(), *found.ends),
        )
        return Vocabulary(
            self.pieces,
            special_tokens,
            encode,
            found,
            begins_with_bos=bool(llama.llama_vocab_get_add_bos(self.vocab)),
            encode_markup=partial(encode, special=True),
        )

    def encode(self, text: bytes, special: bool = False) -> list[int]:
        """Returns token ids without a BOS. With ``special``, text that spells special tokens becomes these tokens.
        Raises ``EngineFailed`` after the model was freed."""
        room = len(text) + 8
        tokens = (llama.llama_token * room)()
        with self._freeing:
            if self.pointer is None:
                raise EngineFailed("The engine was closed.")
            count = llama.llama_tokenize(self.vocab, text, len(text), tokens, room, False, special)
        return list(tokens[:count])

    @cached_property
    def family(self) -> Family:
        """Returns the infill format, found from the vocabulary and from the file's metadata."""
        ids = (
            llama.llama_vocab_fim_pre(self.vocab),
            llama.llama_vocab_fim_suf(self.vocab),
            llama.llama_vocab_fim_mid(self.vocab),
        )
        about = About(
            self.metadata("general.architecture"),
            " ".join(filter(None, (self.metadata(key) for key in _METADATA))),
            self.metadata("tokenizer.ggml.pre"),
        )
        return family_of(self.find, about, ids if min(ids) >= 0 else None, self.text)

    def metadata(self, key: str) -> str:
        """Returns a text of the file's metadata, or "" if it is absent."""
        buffer = ctypes.create_string_buffer(1024)
        size = llama.llama_model_meta_val_str(self.pointer, key.encode(), buffer, 1024)
        return buffer.value.decode(errors="replace") if size >= 0 else ""

    def find(self, text: str) -> int | None:
        """Returns the id of the special token that a text spells, or None."""
        tokens = self.encode(text.encode(), special=True)
        return tokens[-1] if tokens and self.text(tokens[-1]) == text else None

    def specials(self, family: Family) -> dict[Special, int]:
        """Returns the ids of a family's special tokens, without those that the model lacks.

        An id is found by the token's text, or else by the number that the family's makers give it if the vocabulary
        agrees, or else by the file's metadata.
        """
        by_metadata = {
            Special.BOS: llama.llama_vocab_bos(self.vocab),
            Special.EOS: llama.llama_vocab_eos(self.vocab),
            Special.END_OF_TURN: llama.llama_vocab_eot(self.vocab),
        }
        found = {}
        for special in Special:
            text = family.texts.get(special, "")
            token = self.find(text) if text else None
            if token is None and text and self.text(family.ids.get(special, -1)) == text:
                token = family.ids[special]
            if token is None and by_metadata.get(special, -1) >= 0:
                token = by_metadata[special]
            if token is not None:
                found[special] = token
        return found

    @cached_property
    def pieces(self) -> list[bytes]:
        """Returns each token's bytes, which are empty for control tokens."""
        buffer = ctypes.create_string_buffer(512)
        found = []
        for token in range(self.size):
            size = llama.llama_token_to_piece(self.vocab, token, buffer, 512, 0, False)
            found.append(buffer.raw[:size] if size > 0 else b"")
        return found

    @cached_property
    def _attributes(self) -> list[int]:
        """Returns the attributes of each token as a set of flags."""
        return [llama.llama_vocab_get_attr(self.vocab, token) for token in range(self.size)]

    @cached_property
    def controls(self) -> frozenset[int]:
        """Returns the ids that stand for no text or end a generation."""
        unusable = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN | llama.LLAMA_TOKEN_ATTR_UNUSED
        return frozenset(
            token
            for token, attributes in enumerate(self._attributes)
            if attributes & unusable or llama.llama_vocab_is_eog(self.vocab, token)
        )

    @cached_property
    def control_texts(self) -> list[str]:
        """Returns the texts of the form ``<|x|>`` that name tokens which the vocabulary may recognise anywhere. Other
        names, such as ``<table>``, are tokens for ordinary text."""
        wanted = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_USER_DEFINED
        marked = (self.text(token) for token, attributes in enumerate(self._attributes) if attributes & wanted)
        return [text for text in marked if text.startswith("<|") and text.endswith("|>") and len(text) <= 44]

    @property
    def chat_template(self) -> str:
        """Returns the template in the file's metadata, or "" if it has none or the model was freed."""
        with self._freeing:
            found = llama.llama_model_chat_template(self.pointer, None) if self.pointer is not None else None
        return found.decode(errors="replace") if found else ""

    def text(self, token: int) -> str:
        """Returns the text by which the vocabulary names a token, or "" for an id that it does not have."""
        if not 0 <= token < self.size:
            return ""
        return str(llama.llama_vocab_get_text(self.vocab, token).decode(errors="replace"))


_describing = threading.Lock()
_description = ""


def system_info() -> str:
    """Returns what llama.cpp says of its build and of the machine, asked for once.

    llama.cpp puts it together in one text of the process, so that two loads that ask at the same time corrupt memory.
    """
    global _description
    with _describing:
        if not _description:
            _description = llama.llama_print_system_info().decode(errors="replace")
        return _description


def _load(path: Path, gpu_layers: int, on_progress: OnProgress) -> Any:
    global _first_error
    _first_error = ""
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


def check_file(path: Path, what: str = "model") -> None:
    """Raises ``ModelNotFound`` or ``ModelUnusable`` where llama.cpp's own error would say less. ``what`` is the setting
    that names the file."""
    correction = "correct the setting, or set it to auto" if what == "model" else f"correct the setting {what}"
    try:
        if not is_regular(path):
            raise ModelUnusable(f"{path} is not a file, so no {what} can be in it; choose a file that ends in .gguf.")
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except FileNotFoundError:
        raise ModelNotFound(f"There is no {what} file at {path}; {correction}.") from None
    except OSError as error:
        raise ModelUnusable(f"The {what} file {path} cannot be read ({error.strerror}).") from None
    if magic != MAGIC:
        raise ModelUnusable(f"{path} is not a GGUF file; convert the {what}, or choose a file that ends in .gguf.")
