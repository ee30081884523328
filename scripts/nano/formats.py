"""nano on disk: as GGUF for llama.cpp, and as a Hugging Face folder for transformers; and back from GGUF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from common import (
    BOS,
    END_OF_TURN,
    EOS,
    FILE_SEPARATOR,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    PAD,
    UNK,
    whitespace_pieces,
)
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

Tensors = dict[str, np.ndarray[Any, Any]]
BLANK = "\u2581"
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


class Kind(IntEnum):
    """GGUF's token types."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """A token: its text as SentencePiece writes it, its score in merging, and what it is."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True)
class Model:
    """``shape`` as in the configuration's ``[model]``, with ``context``; tensors by Hugging Face's names, float32."""

    shape: dict[str, int]
    pieces: list[Piece]
    tensors: Tensors


def pieces_of(processor: Any) -> list[Piece]:
    """The vocabulary of a SentencePiece processor."""
    whitespace, found = frozenset(whitespace_pieces()), []
    for token in range(processor.vocab_size()):
        text, kind = processor.id_to_piece(token), Kind.NORMAL
        if processor.is_unknown(token):
            kind = Kind.UNKNOWN
        elif processor.is_control(token):
            kind = Kind.CONTROL
        elif processor.is_byte(token):
            kind = Kind.BYTE
        elif text in whitespace:
            kind = Kind.USER_DEFINED
        found.append(Piece(text, processor.get_score(token), kind))
    return found


def write_gguf(model: Model, path: Path, quantised: bool) -> None:
    """Matrices in 8 bits or in float32, norms in float32 plus the one that Gemma adds when it runs."""
    writer = gguf.GGUFWriter(path, "gemma")
    write_shape(writer, model.shape, quantised)
    write_vocabulary(writer, model.pieces)
    for name, tensor in model.tensors.items():
        short, data = gguf_name(name), tensor.astype(np.float32)
        if data.ndim == 1:
            writer.add_tensor(short, data + 1 if "norm" in short else data)
        elif quantised:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(short, gguf.quants.quantize(data, kind), raw_dtype=kind)
        else:
            writer.add_tensor(short, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_shape(writer: gguf.GGUFWriter, shape: dict[str, int], quantised: bool) -> None:
    writer.add_name("nano")
    writer.add_description("A small Gemma for codegemma-lsp, with CodeGemma's special tokens")
    writer.add_license("apache-2.0")
    writer.add_context_length(shape["context"])
    writer.add_embedding_length(shape["hidden"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(1)
    writer.add_key_length(shape["head_size"])
    writer.add_value_length(shape["head_size"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantised else gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_vocabulary(writer: gguf.GGUFWriter, pieces: list[Piece]) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([plain(piece).encode() for piece in pieces])
    writer.add_token_scores([piece.score for piece in pieces])
    writer.add_token_types([int(piece.kind) for piece in pieces])
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


def plain(piece: Piece) -> str:
    """A piece's text; user-defined ones hold real blanks in GGUF and in tokenizer.json."""
    return piece.text.replace(BLANK, " ") if piece.kind is Kind.USER_DEFINED else piece.text


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor of Hugging Face's Gemma."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def read_gguf(path: Path) -> Model:
    """A nano file, its matrices as float32 again."""
    reader = gguf.GGUFReader(path)
    number = {key.removeprefix("gemma."): field.contents() for key, field in reader.fields.items()}
    shape = {
        "context": number["context_length"],
        "hidden": number["embedding_length"],
        "layers": number["block_count"],
        "ffn": number["feed_forward_length"],
        "heads": number["attention.head_count"],
        "head_size": number["attention.key_length"],
    }
    texts, scores = number["tokenizer.ggml.tokens"], number["tokenizer.ggml.scores"]
    kinds = [Kind(kind) for kind in number["tokenizer.ggml.token_type"]]
    texts = [t.replace(" ", BLANK) if k is Kind.USER_DEFINED else t for t, k in zip(texts, kinds, strict=True)]
    pieces = [Piece(*piece) for piece in zip(texts, map(float, scores), kinds, strict=True)]
    back = {gguf_name(name): name for name in tensor_names(shape["layers"])}
    tensors: Tensors = {}
    for tensor in reader.tensors:
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        tensors[back[tensor.name]] = data - 1 if "norm" in tensor.name else data
    return Model(shape, pieces, tensors)


def tensor_names(layers: int) -> list[str]:
    inner = [f"model.layers.{layer}.{name}.weight" for layer in range(layers) for name in NAMES]
    return ["model.embed_tokens.weight", "model.norm.weight", *inner]


def write_hugging_face(model: Model, folder: Path) -> None:
    """``config.json``, ``model.safetensors`` in float32 and ``tokenizer.json``, as transformers loads them."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    config = {
        "architectures": ["GemmaForCausalLM"],
        "model_type": "gemma",
        "vocab_size": len(model.pieces),
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["ffn"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": 1,
        "head_dim": shape["head_size"],
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": shape["context"],
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "bos_token_id": BOS,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    save_file(
        {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in model.tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    tokenizer_of(model.pieces).save(str(folder / "tokenizer.json"))


def tokenizer_of(pieces: list[Piece]) -> Tokenizer:
    """The same tokenizer for the tokenizers library: BPE by merges, which SentencePiece's scores order."""
    ids = {plain(piece): token for token, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(ids, merges(pieces, ids), unk_token="<unk>", fuse_unk=True, byte_fallback=True)  # noqa: S106
    )
    tokenizer.normalizer = normalizers.Replace(" ", BLANK)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()])
    controls = (Kind.UNKNOWN, Kind.CONTROL)
    special = [AddedToken(p.text, normalized=False, special=True) for p in pieces if p.kind in controls]
    tokenizer.add_special_tokens(special)
    whole = [AddedToken(plain(p), normalized=False) for p in pieces if p.kind is Kind.USER_DEFINED]
    tokenizer.add_tokens(whole)
    return tokenizer


def merges(pieces: list[Piece], ids: dict[str, int]) -> list[tuple[str, str]]:
    """Every way in which two pieces make a third, best first."""
    found = []
    for piece in pieces:
        if piece.kind is Kind.NORMAL:
            pairs = [(piece.text[:i], piece.text[i:]) for i in range(1, len(piece.text))]
            pairs = sorted((p for p in pairs if p[0] in ids and p[1] in ids), key=lambda p: (ids[p[0]], ids[p[1]]))
            found += [(piece.score, pair) for pair in pairs]
    return [pair for _, pair in sorted(found, key=lambda entry: -entry[0])]
