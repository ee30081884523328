"""Writes models in another number format with llama.cpp."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp as llama

from codegemma_lsp.engines.protocol import ModelUnusable
from codegemma_lsp.models.fit import NumberFormat

_quiet = llama.llama_log_callback(lambda level, text, data: None)


_TYPES = {
    NumberFormat.Q8_0: llama.LLAMA_FTYPE_MOSTLY_Q8_0,
    NumberFormat.Q6_K: llama.LLAMA_FTYPE_MOSTLY_Q6_K,
    NumberFormat.Q5_K_M: llama.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    NumberFormat.Q4_K_M: llama.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}
_WHOLE = {"0", "1", "32"}
"""The types of files whose weights have 32 or 16 bits: float32, float16 and bfloat16."""


def quantize(source: Path, target: Path, to: NumberFormat) -> None:
    """Writes a GGUF file whose weights have fewer bits than those of ``source``, which must have 16 or 32. Raises
    ``ModelUnusable``."""
    kind = _file_type(source)
    if not kind:
        raise ModelUnusable(f"{source} does not say how many bits its weights have; convert it to GGUF again.")
    if kind not in _WHOLE:
        raise ModelUnusable(
            f"The weights in {source} have been quantized already, and doing it twice makes a model worse; quantize a"
            " file with 16 bits a weight."
        )
    _convert(source, target, _TYPES[to])


def as_bfloat16(source: Path, target: Path) -> None:
    """Writes a GGUF file with bfloat16 weights, with which a batch of tokens costs little more than one token. Raises
    ``ModelUnusable``."""
    _convert(source, target, llama.LLAMA_FTYPE_MOSTLY_BF16)


def _convert(source: Path, target: Path, to: int) -> None:
    llama.llama_log_set(_quiet, ctypes.c_void_p(0))
    params = llama.llama_model_quantize_default_params()
    params.ftype = to
    params.allow_requantize = True
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), params):
        raise ModelUnusable(f"{source} cannot be converted; is there room in {target.parent}?")


def _file_type(path: Path) -> str:
    """Returns the number that the file's metadata gives for its format, or "" if it gives none. Raises
    ``ModelUnusable``."""
    llama.llama_log_set(_quiet, ctypes.c_void_p(0))
    params = llama.llama_model_default_params()
    params.vocab_only = True
    model = llama.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ModelUnusable(f"{path} cannot be read as a GGUF model; download it again.")
    try:
        buffer = ctypes.create_string_buffer(16)
        llama.llama_model_meta_val_str(model, b"general.file_type", buffer, len(buffer))
        return buffer.value.decode(errors="replace")
    finally:
        llama.llama_model_free(model)
