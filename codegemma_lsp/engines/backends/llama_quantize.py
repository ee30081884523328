"""Converts models to another number format with llama.cpp."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp as llama

from codegemma_lsp.engines.protocol import ModelUnusable

_quiet = llama.llama_log_callback(lambda level, text, data: None)


def as_bfloat16(source: Path, target: Path) -> None:
    """Writes a GGUF file with bfloat16 weights, with which a batch of tokens costs little more than one token. Raises
    ``ModelUnusable``."""
    llama.llama_log_set(_quiet, ctypes.c_void_p(0))
    params = llama.llama_model_quantize_default_params()
    params.ftype = llama.LLAMA_FTYPE_MOSTLY_BF16
    params.allow_requantize = True
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), params):
        raise ModelUnusable(f"{source} cannot be converted; is there room in {target.parent}?")
