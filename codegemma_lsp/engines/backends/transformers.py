"""The engine on Hugging Face's transformers, and the only importer of torch, transformers and tokenizers.

It checks the other engine: the loop and the choice of tokens are the same, and the arithmetic is different. Weights
come from safetensors files in a folder on this machine, and code comes from the installed packages. Nothing is
unpickled, and nothing is run or fetched from anywhere else.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, DynamicCache, GemmaForCausalLM
from transformers.utils import logging as transformers_logging

from codegemma_lsp.engines.generation import Backend, Decoded
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import (
    EngineFailed,
    LoadCancelled,
    ModelNotFound,
    ModelUnusable,
    OnProgress,
    Options,
)
from codegemma_lsp.engines.sampling import Logits
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.engines.vocabulary import SpecialTokens, Vocabulary
from codegemma_lsp.prompt import BY_NAME, About, Family, InfillFormat, Special, family_of

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_DRAFT_COST = 0.2
"""The cost of a draft token. torch decodes a few tokens in little more time than one, because most of the time goes
into reading the weights."""
_UNUSED = re.compile(r"<unused\d+>|<pad>|<unk>|<mask>|<2mass>|\[@BOS@\]")


class TransformersEngine(ScheduledEngine):
    """An ``Engine`` on a folder as ``save_pretrained`` writes it. The constructor blocks until the model is in
    memory."""

    def __init__(
        self,
        path: Path,
        options: Options,
        on_progress: OnProgress = lambda _: True,
        gate: PriorityGate | None = None,
    ) -> None:
        """Raises ``ModelNotFound``, ``ModelUnusable``, ``LoadCancelled``."""
        self._path, self._options, self._on_progress = path, options, on_progress
        super().__init__(path.name, options.slots, gate)

    def _open(self) -> tuple[Backend, Vocabulary]:
        check_folder(self._path)
        if not self._on_progress(0.0):
            raise LoadCancelled(f"Loading {self._path} was given up.")
        try:
            tokenizer = Tokenizer.from_file(str(self._path / "tokenizer.json"))
        except Exception as error:  # the library raises nothing narrower
            raise ModelUnusable(f"{self._path / 'tokenizer.json'} cannot be read ({error}).") from error
        backend = Torch(self._path, self._options, self._should_stop)
        if not self._on_progress(1.0):
            backend.close()
            raise LoadCancelled(f"Loading {self._path} was given up.")
        return backend, vocabulary_of(tokenizer, backend.size, self._options.infill_format)


class Torch:
    """A Gemma model with one cache for each slot."""

    def __init__(self, path: Path, options: Options, stopped: Callable[[], bool]) -> None:
        self.batch_tokens = options.batch_tokens
        self._stopped = stopped
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        self.threads = options.threads or max(1, (os.cpu_count() or 2) // 2)
        torch.set_num_threads(self.threads)
        self._device = "cuda" if torch.cuda.is_available() and options.gpu_layers else "cpu"
        self._model, config = load(path, self._device)
        self.size = int(config.vocab_size)
        self.context_tokens = min(options.context_tokens, int(config.max_position_embeddings))
        parameters = inspect.signature(self._model.model.forward).parameters
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"  # renamed in transformers 5.24
        self._caches: list[Any] = [DynamicCache(config=config) for _ in range(options.slots)]
        self.draft_cost = _DRAFT_COST
        self.prefill_speed = 0.0
        self.chat_template = chat_template(path)
        self._weights: Any = None
        self._last: Any = None
        """The hidden states of the last decoded tokens, of shape (scored, hidden). Logits are computed from them only
        for a token that is chosen next."""

    def decode(self, slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        """Decodes tokens into a slot. A cancelled request is noticed before the batch, but not within it."""
        if self._stopped():
            return Decoded.ABORTED
        ids = torch.tensor([list(tokens)], device=self._device)
        at = torch.arange(position, position + len(tokens), device=self._device)[None]
        cache = self._caches[slot]
        try:
            with torch.inference_mode():
                kept = {self._cache_name: cache}
                answer = self._model.model(input_ids=ids, position_ids=at, use_cache=True, **kept)
                self._last = answer.last_hidden_state[0, -scored:]
        except RuntimeError as error:
            raise EngineFailed(f"torch could not process {len(tokens)} tokens ({error}); it starts again.") from error
        return Decoded.DONE

    def _head(self) -> Any:
        """Returns the output matrix of shape (vocabulary, hidden), which is converted to float32 once."""
        if self._weights is None:
            self._weights = self._model.lm_head.weight.float()
        return self._weights

    def logits(self, back: int = 0) -> Logits:
        """Returns logits in float32. Logits in bfloat16 are an eighth apart, so that several tokens would often be the
        best."""
        with torch.inference_mode():
            scores: Logits = torch.mv(self._head(), self._last[-1 - back].float()).cpu().numpy()
        return scores

    def trim(self, slot: int, length: int) -> int:
        cache = self._caches[slot]
        if (more := int(cache.get_seq_length()) - length) > 0:
            cache.crop(-more)
        return int(cache.get_seq_length())

    def save(self, slot: int) -> bytes | None:
        """Returns None, because the cache is a tree of tensors that has no byte format."""
        return None

    def restore(self, slot: int, data: bytes) -> bool:
        return False

    def close(self) -> None:
        self._model = self._weights = self._last = None
        self._caches = []
        if self._device == "cuda":
            torch.cuda.empty_cache()


def load(path: Path, device: str) -> tuple[Any, Any]:
    """Returns the model and its configuration. Raises ``ModelUnusable``."""
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        if config.model_type != "gemma":
            raise ModelUnusable(f"{path} holds a model of type {config.model_type}; choose a CodeGemma model.")
        # Attention is set here, because a configuration may name one that would be fetched from a hub.
        model, about = GemmaForCausalLM.from_pretrained(
            path,
            local_files_only=True,
            use_safetensors=True,
            dtype="auto",
            attn_implementation="sdpa",
            output_loading_info=True,
        )
        missing = sorted(about["missing_keys"])
        if missing:
            raise ModelUnusable(
                f"The model in {path} lacks {len(missing)} of its tensors, {missing[0]} for one; download it again."
            )
        return model.to(device).eval(), config
    except ModelUnusable:
        raise
    except (MemoryError, torch.OutOfMemoryError):
        raise ModelUnusable(f"There is not enough memory for the model in {path}; choose a smaller one.") from None
    except Exception as error:  # the libraries raise many errors for a broken folder
        reason = f"{type(error).__name__}: {error}".strip().split("\n")[0].rstrip(".")
        raise ModelUnusable(f"The model in {path} cannot be loaded ({reason}); download it again.") from error


def check_folder(path: Path) -> None:
    """Raises ``ModelNotFound`` or ``ModelUnusable`` where the error of transformers would say less."""
    if not path.is_dir():
        raise ModelNotFound(f"There is no model folder at {path}; correct the setting, or set it to auto.")
    for name, what in (("config.json", "its configuration"), ("tokenizer.json", "its tokenizer")):
        if not (path / name).exists():
            raise ModelUnusable(f"{path} has no {name}, {what}; download the whole model again.")
    for name in ("adapter_config.json", "quantize_config.json"):
        if (path / name).exists():
            raise ModelUnusable(f"{path} is no model in full precision ({name}); choose one that is.")
    if not any(path.glob("*.safetensors")):
        raise ModelUnusable(f"{path} has no safetensors file, and no other format is read; convert the model.")


def vocabulary_of(tokenizer: Any, size: int, infill_format: InfillFormat = InfillFormat.AUTO) -> Vocabulary:
    """Returns the vocabulary of a Gemma tokenizer, with its pieces as bytes. Its special tokens stand for no text."""
    added = tokenizer.get_added_tokens_decoder()
    find, name = tokenizer.token_to_id, tokenizer.id_to_token
    family = (
        family_of(find, About("gemma"), None, name) if infill_format is InfillFormat.AUTO else BY_NAME[infill_format]
    )
    controls = {token for token, about in added.items() if about.special or _UNUSED.fullmatch(about.content)}
    specials = specials_of(tokenizer, family)
    controls |= set(specials.values())
    pieces = [b"" if token in controls else piece_bytes(name(token)) for token in range(size)]
    # The names of ordinary pieces such as <table> are left out, because a user's text may become these tokens.
    spellings = tuple(about.content for token, about in added.items() if token in controls)

    def encode(text: bytes) -> list[int]:
        return list(tokenizer.encode(text.decode("utf-8", "replace"), add_special_tokens=False).ids)

    # This tokenizer recognises special tokens anywhere, so the vocabulary cuts those in a user's text.
    names = {special: name(token) for special, token in specials.items()}
    special_tokens = SpecialTokens(ids=specials, names=names, controls=frozenset(controls), spellings=spellings)
    return Vocabulary(pieces, special_tokens, encode, family, encode_markup=encode)


def specials_of(tokenizer: Any, family: Family) -> dict[Special, int]:
    """Returns the ids of a family's special tokens, without those that the vocabulary lacks. An id is the number that
    the family's makers give it if the text agrees, or else is found by the text."""
    found = {}
    for special, text in family.texts.items():
        known = family.ids.get(special)
        token = known if known is not None and tokenizer.id_to_token(known) == text else tokenizer.token_to_id(text)
        if token is not None:
            found[special] = token
    return found


def chat_template(path: Path) -> str:
    """Returns the folder's template, from a file of its own or from the tokenizer's configuration."""
    try:
        return (path / "chat_template.jinja").read_text("utf-8")
    except OSError:
        pass
    try:
        found = json.loads((path / "tokenizer_config.json").read_text("utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def piece_bytes(piece: str | None) -> bytes:
    """Returns the bytes of a SentencePiece piece, in which U+2581 stands for a blank and ``<0x..>`` for a byte."""
    if piece is None:
        return b""
    if match := _BYTE.fullmatch(piece):
        return bytes([int(match.group(1), 16)])
    return piece.replace("\u2581", " ").encode()
