"""Stage 4: train the model, resuming from the last checkpoint. Matrices by Muon, the rest by AdamW.

The learning rate warms up, stays constant, and falls to zero over the last ``decay_steps`` (Hu et al. 2024, MiniCPM),
so that ``steps`` can be raised or lowered in the configuration while a run is under way: stop it, edit, start again.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import BOS, EOS, PAD, configuration
from safetensors.torch import load_file, save_file
from transformers import GemmaConfig, GemmaForCausalLM


def main() -> None:
    config, work = configuration(__doc__ or "")
    torch.manual_seed(config["seed"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build(config).to(device)
    optimizers = make_optimizers(model, config["train"])
    first = resume(model, optimizers, work)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters on {device}, from step {first}", flush=True)
    forward = torch.compile(model) if config["train"].get("compile") else model
    train(forward, model, optimizers, config, work, first, device)


def build(config: dict[str, Any]) -> GemmaForCausalLM:
    shape = config["model"]
    return GemmaForCausalLM(
        GemmaConfig(
            vocab_size=config["tokenizer"]["pieces"],
            hidden_size=shape["hidden"],
            intermediate_size=shape["ffn"],
            num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"],
            num_key_value_heads=1,
            head_dim=shape["head_size"],
            max_position_embeddings=config["pack"]["context"],
            pad_token_id=PAD,
            eos_token_id=EOS,
            bos_token_id=BOS,
            tie_word_embeddings=True,
            use_cache=False,
        )
    )


def make_optimizers(model: torch.nn.Module, train: dict[str, Any]) -> list[torch.optim.Optimizer]:
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = torch.optim.Muon(
        matrices, lr=train["matrix_lr"], weight_decay=train["weight_decay"], adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(others, lr=train["vector_lr"], betas=(0.9, 0.95), weight_decay=0.0)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return [muon, adam]


def train(
    forward: Any,
    model: GemmaForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    config: dict[str, Any],
    work: Path,
    first: int,
    device: str,
) -> None:
    settings, rows = config["train"], np.load(work / "train.npy", mmap_mode="r")
    order = np.random.default_rng(config["seed"]).permutation(len(rows))
    log = (work / "loss.jsonl").open("a", encoding="utf-8")
    began = time.monotonic()
    for step in range(first, settings["steps"]):
        factor = schedule(step, settings)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        picked = [order[(step * settings["batch"] + i) % len(rows)] for i in range(settings["batch"])]
        loss = batch_loss(forward, rows[picked], device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = step + 1
        record = {"step": done, "loss": round(loss.item(), 4), "seconds": round(time.monotonic() - began, 1)}
        if done % settings["checkpoint_steps"] == 0 or done == settings["steps"]:
            record["validation"] = round(validate(forward, work, settings["batch"], device), 4)
            checkpoint(model, optimizers, work, done)
        log.write(json.dumps(record) + "\n")
        log.flush()
        print(record, flush=True)


def schedule(step: int, train: dict[str, Any]) -> float:
    rise = (step + 1) / train["warmup_steps"]
    fall = (train["steps"] - step) / train["decay_steps"]
    return float(min(1.0, rise, fall))


def batch_loss(forward: Any, rows: np.ndarray[Any, Any], device: str) -> torch.Tensor:
    ids = torch.from_numpy(rows.astype(np.int64)).to(device)
    logits = forward(input_ids=ids).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PAD)


@torch.no_grad()
def validate(forward: Any, work: Path, batch: int, device: str) -> float:
    """Mean loss in nats a token over the first rows of the held-out files."""
    rows = np.load(work / "validation.npy", mmap_mode="r")[: 4 * batch]
    losses = [batch_loss(forward, rows[i : i + batch], device).item() for i in range(0, len(rows) - batch + 1, batch)]
    return float(np.mean(losses))


def checkpoint(model: GemmaForCausalLM, optimizers: list[torch.optim.Optimizer], work: Path, step: int) -> None:
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{index}.{key}": torch.as_tensor(v).clone() for key, v in values.items()}
    state["step"] = torch.tensor(step)
    unfinished = work / "checkpoint.unfinished"
    save_file(state, unfinished)
    unfinished.replace(work / "checkpoint.safetensors")


def resume(model: GemmaForCausalLM, optimizers: list[torch.optim.Optimizer], work: Path) -> int:
    path = work / "checkpoint.safetensors"
    if not path.exists():
        return 0
    state = load_file(path)
    step = int(state.pop("step"))
    for number, optimizer in enumerate(optimizers):
        saved = optimizer.state_dict()
        restored: dict[int, dict[str, torch.Tensor]] = {}
        for name in [n for n in state if n.startswith(f"optimizer.{number}.")]:
            _, _, index, key = name.split(".")
            restored.setdefault(int(index), {})[key] = state.pop(name)
        optimizer.load_state_dict({"state": restored, "param_groups": saved["param_groups"]})
    model.load_state_dict(state, strict=False)
    return step


if __name__ == "__main__":
    main()
