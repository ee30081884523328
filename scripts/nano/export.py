"""Stage 5: write the checkpoint as GGUF into the package, quantised to 8 bits, with the list of its sources."""

from __future__ import annotations

import shutil
from typing import Any

import gguf
import numpy as np
import sentencepiece
from common import (
    BOS,
    END_OF_TURN,
    EOS,
    FILE_SEPARATOR,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    MODEL_DIR,
    PAD,
    UNK,
    configuration,
    whitespace_pieces,
)
from safetensors.numpy import load_file

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def main() -> None:
    config, work = configuration(__doc__ or "")
    MODEL_DIR.mkdir(parents=True, exist_ok=True)
    path = MODEL_DIR / "nano.gguf"
    writer = gguf.GGUFWriter(path, "gemma")
    write_shape(writer, config)
    write_vocabulary(writer, sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model")))
    for name, tensor in load_file(work / "checkpoint.safetensors").items():
        if name.startswith("model."):
            write_tensor(writer, gguf_name(name), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shutil.copyfile(work / "sources.json", MODEL_DIR / "sources.json")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def write_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    shape = config["model"]
    writer.add_name("nano")
    writer.add_description("A small Gemma for codegemma-lsp, with CodeGemma's special tokens")
    writer.add_license("apache-2.0")
    writer.add_context_length(config["pack"]["context"])
    writer.add_embedding_length(shape["hidden"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(1)
    writer.add_key_length(shape["head_size"])
    writer.add_value_length(shape["head_size"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_vocabulary(writer: gguf.GGUFWriter, processor: sentencepiece.SentencePieceProcessor) -> None:
    tokens, scores, kinds = [], [], []
    whitespace = frozenset(whitespace_pieces())
    for token in range(processor.vocab_size()):
        piece = processor.id_to_piece(token)
        kind = gguf.TokenType.NORMAL
        if processor.is_unknown(token):
            kind = gguf.TokenType.UNKNOWN
        elif processor.is_control(token):
            kind = gguf.TokenType.CONTROL
        elif processor.is_byte(token):
            kind = gguf.TokenType.BYTE
        elif piece in whitespace:
            kind = gguf.TokenType.USER_DEFINED
            piece = piece.replace("\u2581", " ")
        tokens.append(piece.encode())
        scores.append(processor.get_score(token))
        kinds.append(kind)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_unk_token_id(UNK)
    writer.add_eot_token_id(END_OF_TURN)
    writer.add_uint32("tokenizer.ggml.fim_pre_token_id", FIM_PREFIX)
    writer.add_uint32("tokenizer.ggml.fim_suf_token_id", FIM_SUFFIX)
    writer.add_uint32("tokenizer.ggml.fim_mid_token_id", FIM_MIDDLE)
    writer.add_uint32("tokenizer.ggml.fim_sep_token_id", FILE_SEPARATOR)
    writer.add_add_bos_token(value=True)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor of Hugging Face's Gemma."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def write_tensor(writer: gguf.GGUFWriter, name: str, tensor: np.ndarray[Any, Any]) -> None:
    """Matrices in 8 bits; norms in full, plus the one that Gemma adds when it runs and llama.cpp when it converts."""
    data = tensor.astype(np.float32)
    if data.ndim == 1:
        writer.add_tensor(name, data + 1 if "norm" in name else data)
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)


if __name__ == "__main__":
    main()
