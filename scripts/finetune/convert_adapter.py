"""Converts a LoRA adapter of PEFT to a GGUF file for llama.cpp.

    python scripts/finetune/convert_adapter.py ADAPTER --base MODEL --out FILE.gguf

``ADAPTER`` is a folder with ``adapter_config.json`` and ``adapter_model.safetensors``, and ``MODEL`` the folder of the
model that it was trained on, of which only ``config.json`` is read. The names of tensors are those of llama.cpp's
convert_lora_to_gguf.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

ARCHITECTURES = {
    "gemma": gguf.MODEL_ARCH.GEMMA,
    "gemma2": gguf.MODEL_ARCH.GEMMA2,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "starcoder2": gguf.MODEL_ARCH.STARCODER2,
}
"""By the ``model_type`` of Hugging Face. llama.cpp stores the matrices of these as they are, and those of others in
another order."""
_PREFIX = "base_model.model."


def convert(adapter: Path, base: Path, out: Path) -> Path:
    """Writes the adapter as GGUF in 16 bits, and returns its path. Raises ``ValueError`` if it cannot be converted."""
    config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    model = json.loads((base / "config.json").read_text("utf-8"))
    kind = ARCHITECTURES.get(model["model_type"])
    if kind is None:
        raise ValueError(
            f"Adapters of {model['model_type']} cannot be converted; use llama.cpp's convert_lora_to_gguf.py."
        )
    if config.get("use_dora") or config.get("rank_pattern") or config.get("alpha_pattern"):
        raise ValueError(f"{adapter} is no plain LoRA adapter (DoRA or ranks by layer); train it without these.")
    names = gguf.get_tensor_name_map(kind, model["num_hidden_layers"])
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[kind])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    scale = np.sqrt(config["r"]) if config.get("use_rslora") else 1.0
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"] * scale))
    for name, tensor in sorted(load_file(adapter / "adapter_model.safetensors").items()):
        writer.add_tensor(_gguf_name(name, names), tensor.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _gguf_name(name: str, names: gguf.TensorNameMap) -> str:
    whole = name.removeprefix(_PREFIX).removesuffix(".weight")
    part, _, half = whole.rpartition(".lora_")
    found = names.get_name(part)
    if found is None or half not in ("A", "B"):
        raise ValueError(f"The adapter's tensor {name} is none of a linear layer; train the layers of the README only.")
    return f"{found}.weight.lora_{half.lower()}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Converts a LoRA adapter of PEFT to GGUF.")
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the model")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    try:
        print(convert(asked.adapter, asked.base, asked.out))
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
