"""A GGUF file's weights and vocabulary, by llama.cpp: loaded once, however many engines use them."""

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
from codegemma_lsp.engines.vocabulary import Vocabulary
from codegemma_lsp.prompt import BY_NAME, About, Family, InfillFormat, Special, family_of

log = logging.getLogger(__name__)

_GGML_LOG_LEVEL_ERROR = 4
_METADATA = ("general.name", "general.basename", "general.finetune")
_first_error = ""
"""What llama.cpp has logged as an error first since it was cleared: its log is one for the whole process."""


def _log(level: int, text: bytes, _: Any) -> None:
    global _first_error
    line = text.decode(errors="replace").strip()
    if level == _GGML_LOG_LEVEL_ERROR and not _first_error:
        _first_error = line.split(": ", 1)[-1]
    log.debug("%s", line)


_on_log = llama.llama_log_callback(_log)
Encode: TypeAlias = Callable[..., list[int]]
_Key: TypeAlias = tuple[Path, int, int]
_shared: dict[_Key, LlamaModel] = {}
_locks: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)
"""One a file, held while it is loaded or freed, so that two engines never load it twice."""
_locking = threading.Lock()


def _lock_of(key: _Key) -> threading.Lock:
    with _locking:
        return _locks[key]


def borrow(path: Path, gpu_layers: int, on_progress: OnProgress = lambda _: True) -> LlamaModel:
    """The file's model, which engines in this process share; each gives it back by ``release``.

    Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``.
    """
    check_file(path)
    key = (path.resolve(), path.stat().st_mtime_ns, gpu_layers)
    with _lock_of(key):
        model = _shared.get(key)
        if model is None:
            model = _shared[key] = LlamaModel(path, gpu_layers, key, on_progress)
        elif not on_progress(1.0):
            raise LoadCancelled(f"Loading {path} was given up.")
        model.users += 1
    return model


@dataclass(frozen=True, slots=True)
class Measured:
    """Processor threads that were fastest for generating and for reading, and what a guessed token costs."""

    threads: int
    batch_threads: int
    draft_cost: float


class LlamaModel:
    """Weights and vocabulary, which are read only: engines on threads of their own may share them."""

    def __init__(self, path: Path, gpu_layers: int, key: _Key, on_progress: OnProgress) -> None:
        llama.llama_log_set(_on_log, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self.users = 0
        self.measured: Measured | None = None
        self._key = key
        self._freeing = threading.Lock()
        """Held while the vocabulary is read, and while the model is freed."""
        self.pointer: Any = _load(path, gpu_layers, on_progress)
        self.vocab = llama.llama_model_get_vocab(self.pointer)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        self.trained_tokens = llama.llama_model_n_ctx_train(self.pointer)

    def release(self) -> None:
        """Frees the model once nobody uses it."""
        with _lock_of(self._key):
            self.users -= 1
            if self.users:
                return
            del _shared[self._key]
            with self._freeing:
                pointer, self.pointer = self.pointer, None
                llama.llama_model_free(pointer)

    def vocabulary(self, infill_format: InfillFormat, encode: Encode) -> Vocabulary:
        """The vocabulary, and how the model is asked to infill: as its file says, or as a user does. ``encode`` is this
        model's, for as long as who asks may use it."""
        found = self.family if infill_format is InfillFormat.AUTO else BY_NAME[infill_format]
        specials = self.specials(found)
        ends = {token for text in found.ends if (token := self.find(text)) is not None}
        return Vocabulary(
            self.pieces,
            specials,
            {special: self.text(token) for special, token in specials.items()},
            self.controls | ends,
            encode,
            found,
            begins_with_bos=bool(llama.llama_vocab_get_add_bos(self.vocab)),
            spellings=[*self.control_texts, *found.texts.values(), *found.ends],
            encode_markup=partial(encode, special=True),
        )

    def encode(self, text: bytes, special: bool = False) -> list[int]:
        """Token ids, with no BOS; ``special``: text that spells special tokens is them. Raises ``EngineFailed`` once
        the model is freed."""
        room = len(text) + 8
        tokens = (llama.llama_token * room)()
        with self._freeing:
            if self.pointer is None:
                raise EngineFailed("The engine was closed.")
            count = llama.llama_tokenize(self.vocab, text, len(text), tokens, room, False, special)
        return list(tokens[:count])

    @cached_property
    def family(self) -> Family:
        """How the model is asked to infill, by its vocabulary and what its file says of itself."""
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
        """A text of the file's metadata; "" where it has none."""
        buffer = ctypes.create_string_buffer(1024)
        size = llama.llama_model_meta_val_str(self.pointer, key.encode(), buffer, 1024)
        return buffer.value.decode(errors="replace") if size >= 0 else ""

    def find(self, text: str) -> int | None:
        """The id of the special token that a text spells; None where it is none."""
        tokens = self.encode(text.encode(), special=True)
        return tokens[-1] if tokens and self.text(tokens[-1]) == text else None

    def specials(self, family: Family) -> dict[Special, int]:
        """Ids of a family's special tokens: by their text, else as the family's own makers number them where the
        vocabulary agrees, else as the file's metadata say. Those that the model lacks are left out."""
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

    @cached_property
    def controls(self) -> frozenset[int]:
        """Ids that stand for no text or end generation."""
        unusable = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN | llama.LLAMA_TOKEN_ATTR_UNUSED
        return frozenset(
            token
            for token, attributes in enumerate(self._attributes)
            if attributes & unusable or llama.llama_vocab_is_eog(self.vocab, token)
        )

    @cached_property
    def control_texts(self) -> list[str]:
        """Texts of the form ``<|x|>`` by which the vocabulary names tokens that it may recognise wherever they stand.
        Others, such as ``<table>``, are what a user's text is to become."""
        wanted = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_USER_DEFINED
        marked = (self.text(token) for token, attributes in enumerate(self._attributes) if attributes & wanted)
        return [text for text in marked if text.startswith("<|") and text.endswith("|>") and len(text) <= 44]

    @property
    def chat_template(self) -> str:
        """The template in the file's metadata; "" where it has none, or the model is freed."""
        with self._freeing:
            found = llama.llama_model_chat_template(self.pointer, None) if self.pointer is not None else None
        return found.decode(errors="replace") if found else ""

    def text(self, token: int) -> str:
        """The text by which the vocabulary names a token; empty for an id that it does not have."""
        if not 0 <= token < self.size:
            return ""
        return str(llama.llama_vocab_get_text(self.vocab, token).decode(errors="replace"))


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


def check_file(path: Path) -> None:
    """Raises ``ModelNotFound`` or ``ModelUnusable`` for what llama.cpp would refuse with less to say."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise ModelNotFound(f"There is no model file at {path}; correct the setting, or set it to auto.") from None
    except OSError as error:
        raise ModelUnusable(f"The model file {path} cannot be read ({error.strerror}).") from None
    if magic != b"GGUF":
        raise ModelUnusable(f"{path} is not a GGUF file; convert the model, or choose a file that ends in .gguf.")
