"""Stage 2: train the tokenizer: SentencePiece BPE as Gemma's is, with CodeGemma's special tokens at CodeGemma's ids."""

from __future__ import annotations

import json
import random

import sentencepiece
from common import BOS, EOS, PAD, UNK, configuration, control_tokens, whitespace_pieces


def main() -> None:
    config, work = configuration(__doc__ or "")
    sample = work / "tokenizer-sample.txt"
    files = map(json.loads, (work / "corpus.jsonl").open(encoding="utf-8"))
    documents = [file["text"] for file in files if file["split"] == "train"]
    random.Random(config["seed"]).shuffle(documents)
    budget = config["tokenizer"]["sample_bytes"]
    with sample.open("w", encoding="utf-8") as out:
        for text in documents:
            out.write(text + "\n")
            budget -= len(text)
            if budget < 0:
                break
    sentencepiece.SentencePieceTrainer.train(
        input=str(sample),
        model_prefix=str(work / "tokenizer"),
        model_type="bpe",
        vocab_size=config["tokenizer"]["pieces"],
        pad_id=PAD,
        eos_id=EOS,
        bos_id=BOS,
        unk_id=UNK,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        control_symbols=control_tokens(),
        user_defined_symbols=whitespace_pieces(),
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        character_coverage=0.9995,
        num_threads=2,
        minloglevel=2,
        max_sentence_length=20000,
    )
    sample.unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))
    for offset, piece in enumerate(control_tokens()):
        assert processor.id_to_piece(4 + offset) == piece, (4 + offset, piece)
    assert processor.id_to_piece(108) == "\n"


if __name__ == "__main__":
    main()
