"""Stage 5: write the checkpoint as GGUF into the package, quantised to 8 bits, with the list of its sources.

The unquantised model goes to ``hugging-face`` in the work directory, as transformers loads it.
"""

from __future__ import annotations

import shutil

import sentencepiece
from common import MODEL_DIR, configuration
from formats import Model, pieces_of, write_gguf, write_hugging_face
from safetensors.numpy import load_file


def main() -> None:
    config, work = configuration(__doc__ or "")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))
    state = load_file(work / "checkpoint.safetensors")
    tensors = {name: tensor for name, tensor in state.items() if name.startswith("model.")}
    model = Model({**config["model"], "context": config["pack"]["context"]}, pieces_of(processor), tensors)
    MODEL_DIR.mkdir(parents=True, exist_ok=True)
    path = MODEL_DIR / "nano.gguf"
    write_gguf(model, path, quantised=True)
    write_hugging_face(model, work / "hugging-face")
    shutil.copyfile(work / "sources.json", MODEL_DIR / "sources.json")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; unquantised: {work / 'hugging-face'}")


if __name__ == "__main__":
    main()
