"""Trains a LoRA adapter that infills as a repository does, and writes it for transformers (PEFT) and for llama.cpp.

    python scripts/finetune/train_adapter.py --model FOLDER --from REPOSITORY --out FOLDER

The model is a folder in Hugging Face format. Files are held out by their paths, and the loss on their gaps is printed
before and after. ``--family`` is the infill format, ``--rank`` and ``--steps`` how much is learnt.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from convert_adapter import convert
from gaps import Sample, samples, text_of
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from codegemma_lsp.prompt import BY_NAME, Family

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NOT_LEARNT = -100
"""The label of tokens that are given: the prompt, and what fills up a batch."""
_MOST_HELD_OUT = 256


def main() -> None:
    asked = _arguments()
    torch.manual_seed(asked.seed)
    family = BY_NAME[asked.family]
    tokenizer = Tokenizer.from_file(str(asked.model / "tokenizer.json"))
    trained, held_out = samples(asked.source, asked.gaps, asked.seed)
    if not trained or not held_out:
        raise SystemExit(f"{asked.source} has too few sources to train on and to hold out; name a larger folder.")
    base = AutoModelForCausalLM.from_pretrained(asked.model, dtype=asked.dtype).to(asked.device)
    config = LoraConfig(r=asked.rank, lora_alpha=2 * asked.rank, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    rows = [_row(one, family, tokenizer, asked.context) for one in trained]
    kept = [_row(one, family, tokenizer, asked.context) for one in held_out[:_MOST_HELD_OUT]]
    before = loss_on(model, kept, asked)
    print(f"{len(rows)} gaps to train on, {len(kept)} held out; held-out loss before: {before:.3f} nats a token")
    _train(model, rows, asked)
    after = loss_on(model, kept, asked)
    print(f"held-out loss after: {after:.3f} nats a token ({100 * (after / before - 1):+.1f}%)")
    model.save_pretrained(asked.out)
    print(f"adapter for transformers and vLLM: {asked.out}")
    print(f"adapter for llama.cpp: {convert(asked.out, asked.model, asked.out / 'adapter.gguf')}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains a LoRA adapter on a repository.")
    parser.add_argument("--model", type=Path, required=True, help="folder in Hugging Face format")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the repository")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", default="codegemma", choices=sorted(name for name in BY_NAME if name != "none"))
    parser.add_argument("--gaps", type=int, default=8, help="gaps of each file")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--context", type=int, default=1024, help="most tokens of a gap with its surroundings")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16" if torch.cuda.is_available() else "float32")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _row(sample: Sample, family: Family, tokenizer: Tokenizer, context: int) -> tuple[list[int], int]:
    """Returns the tokens of a gap, and the number of those that are given. The start of a long prompt is cut off."""
    prompt, middle = text_of(sample, family)
    given = tokenizer.encode(prompt, add_special_tokens=False).ids
    wanted = tokenizer.encode(middle, add_special_tokens=False).ids[: context // 2]
    given = given[-(context - len(wanted)) :]
    return [*given, *wanted], len(given)


def _train(model: Any, rows: list[tuple[list[int], int]], asked: argparse.Namespace) -> None:
    learnt = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=asked.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, asked.rate, total_steps=asked.steps, pct_start=0.1)
    rng = random.Random(asked.seed)
    model.train()
    for step in range(1, asked.steps + 1):
        batch = rng.sample(rows, min(asked.batch, len(rows)))
        loss = model(**_batch(batch, asked.device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"step {step} of {asked.steps}: loss {loss.item():.3f}", flush=True)


@torch.inference_mode()
def loss_on(model: Any, rows: Sequence[tuple[list[int], int]], asked: argparse.Namespace) -> float:
    """Returns the mean loss in nats of the tokens that are to be learnt."""
    model.eval()
    total = count = 0.0
    for start in range(0, len(rows), asked.batch):
        batch = rows[start : start + asked.batch]
        tokens = sum(len(ids) - given for ids, given in batch)
        total += model(**_batch(batch, asked.device)).loss.item() * tokens
        count += tokens
    return total / count


def _batch(rows: Sequence[tuple[list[int], int]], device: str) -> dict[str, torch.Tensor]:
    """Returns rows as tensors of shape (rows, longest)."""
    longest = max(len(ids) for ids, _ in rows)
    ids, labels, mask = (torch.full((len(rows), longest), value) for value in (0, NOT_LEARNT, 0))
    for at, (row, given) in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        labels[at, given : len(row)] = torch.tensor(row[given:])
        mask[at, : len(row)] = 1
    return {name: t.to(device) for name, t in (("input_ids", ids), ("labels", labels), ("attention_mask", mask))}


if __name__ == "__main__":
    main()
