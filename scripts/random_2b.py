"""Writes a model of CodeGemma 2B's shape with random weights: what it says is nonsense, what it costs is real.

1.4 GB in Q4_0, the bundled model's vocabulary filled up to 256 000 pieces, nothing downloaded. Run with the checkout's
environment and the package gguf: ``.venv/bin/pip install gguf`` and ``.venv/bin/python scripts/random_2b.py FILE``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

NANO = Path(__file__).parents[1] / "codegemma_lsp" / "models" / "nano" / "nano.gguf"
PIECES, HIDDEN, LAYERS, FFN, HEADS, HEAD_SIZE, CONTEXT = 256_000, 2048, 18, 16_384, 8, 256, 8192
BLOCK = 32
"""Weights that share a scale in Q4_0: a 16-bit float and 16 bytes of 4-bit numbers from -8 to 7."""
SPREAD = 4.6
"""Standard deviation of those numbers."""


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: random_2b.py FILE")
    writer = gguf.GGUFWriter(sys.argv[1], "gemma")
    describe(writer)
    copy_vocabulary(writer)
    rng = np.random.default_rng(0)
    for name, (rows, columns) in matrices().items():
        writer.add_tensor(name, q4_0(rows, columns, rng), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    for name in ("output_norm", *(f"blk.{i}.{norm}" for i in range(LAYERS) for norm in ("attn_norm", "ffn_norm"))):
        writer.add_tensor(f"{name}.weight", np.ones(HIDDEN, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file(progress=False)
    writer.close()


def describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("random-2b")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def matrices() -> dict[str, tuple[int, int]]:
    """Names and shapes (outputs, inputs)."""
    found = {"token_embd.weight": (PIECES, HIDDEN)}
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (HEADS * HEAD_SIZE, HIDDEN),
            "attn_k": (HEAD_SIZE, HIDDEN),
            "attn_v": (HEAD_SIZE, HIDDEN),
            "attn_output": (HIDDEN, HEADS * HEAD_SIZE),
            "ffn_gate": (FFN, HIDDEN),
            "ffn_up": (FFN, HIDDEN),
            "ffn_down": (HIDDEN, FFN),
        }
        found |= {f"blk.{layer}.{name}.weight": shape for name, shape in shapes.items()}
    return found


def q4_0(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Random blocks whose scale keeps what a layer puts out as large as what came in; shape (rows, bytes)."""
    data = rng.integers(0, 256, (rows, columns // BLOCK, 18), np.uint8)
    data[:, :, :2] = np.frombuffer(np.float16(1 / (SPREAD * columns**0.5)).tobytes(), np.uint8)
    return data.reshape(rows, -1)


def copy_vocabulary(writer: gguf.GGUFWriter) -> None:
    """nano's, so that text has the same tokens; fillers score below every real piece, so that text never needs one."""
    fields = {name: field.contents() for name, field in gguf.GGUFReader(NANO).fields.items()}
    tokens, scores = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.scores"]
    kinds = fields["tokenizer.ggml.token_type"]
    fillers = PIECES - len(tokens)
    writer.add_tokenizer_model(fields["tokenizer.ggml.model"])
    writer.add_tokenizer_pre(fields["tokenizer.ggml.pre"])
    writer.add_token_list([*tokens, *(f"\u2581filler{i}" for i in range(fillers))])
    writer.add_token_scores([*scores, *[min(scores) - 1] * fillers])
    writer.add_token_types([*kinds, *[int(gguf.TokenType.NORMAL)] * fillers])
    for name, value in fields.items():
        if name.startswith("tokenizer.ggml.") and name.endswith("_token_id"):
            writer.add_uint32(name, value)
        elif name.startswith("tokenizer.ggml.add_"):
            writer.add_bool(name, value)


if __name__ == "__main__":
    main()
