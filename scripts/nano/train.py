"""Stage 4: train the model, resuming from the last checkpoint. Matrices by Muon, the rest by AdamW.

The learning rate warms up, stays constant, and falls to zero over the last ``decay_steps`` (Hu et al. 2024, MiniCPM).
The state in which the fall begins is kept (``stable.safetensors``), so a finished run can be gone on with: raise
``steps`` in the configuration and start again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from common import BOS, EOS, PAD, configuration
from loss import LinearCrossEntropy
from safetensors.torch import load_file, save_file
from transformers import GemmaConfig, GemmaForCausalLM

Optimizers = list[torch.optim.Optimizer]


def main() -> None:
    config, work = configuration(__doc__ or "")
    torch.manual_seed(config["seed"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build(config).to(device)
    optimizers = make_optimizers(model, config["train"])
    first = resume(model, optimizers, config["train"], work)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters on {device}, from step {first}", flush=True)
    train(model, optimizers, config, work, first, device)


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


def make_optimizers(model: torch.nn.Module, train: dict[str, Any]) -> Optimizers:
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
    model: GemmaForCausalLM, optimizers: Optimizers, config: dict[str, Any], work: Path, first: int, device: str
) -> None:
    settings, rows = config["train"], np.load(work / "train.npy", mmap_mode="r")
    order = np.random.default_rng(config["seed"]).permutation(len(rows))
    fall = np.load(work / "fall.npy", mmap_mode="r")
    falls_at = settings["steps"] - settings["decay_steps"]
    loss_of = losses(model, settings, device)
    log = reopened(work / "loss.jsonl", first)
    began = time.monotonic()
    for step in range(first, settings["steps"]):
        if step == falls_at:
            save(model, optimizers, settings, work / "stable.safetensors", step)
        for group in (g for optimizer in optimizers for g in optimizer.param_groups):
            group["lr"] = group["peak"] * schedule(step, settings)
        picked = [order[(step * settings["batch"] + i) % len(rows)] for i in range(settings["batch"])]
        batch = rows[picked]
        if step > falls_at:
            count = round(settings["batch"] * config["fall"]["share"])
            batch[:count] = fall[[(step * count + i) % len(fall) for i in range(count)]]
        loss = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = step + 1
        keep = done % settings["checkpoint_steps"] == 0 or done == settings["steps"]
        if done % settings["log_steps"] and not keep:
            continue
        record = {"step": done, "loss": round(loss.item(), 4), "seconds": round(time.monotonic() - began, 1)}
        if keep:
            record["validation"] = round(validate(loss_of, work, settings), 4)
            save(model, optimizers, settings, work / "checkpoint.safetensors", done)
        log.write(json.dumps(record) + "\n")
        log.flush()
        print(record, flush=True)


def reopened(path: Path, first: int) -> TextIO:
    """The log of a run that goes on: without what it says of steps that are done again."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["step"] <= first]
    path.write_text("".join(f"{line}\n" for line in kept), "utf-8")
    return path.open("a", encoding="utf-8")


def schedule(step: int, train: dict[str, Any]) -> float:
    rise = (step + 1) / train["warmup_steps"]
    fall = (train["steps"] - step) / train["decay_steps"]
    return float(min(1.0, rise, fall))


def losses(model: GemmaForCausalLM, train: dict[str, Any], device: str) -> Any:
    """A function from rows of ids to their mean loss in nats a token; layers in bfloat16, weights in float32."""
    trunk = torch.compile(model.model) if train["compile"] else model.model

    def loss_of(rows: np.ndarray[Any, Any]) -> torch.Tensor:
        ids = torch.from_numpy(rows.astype(np.int64)).to(device)
        with torch.autocast(device, torch.bfloat16):
            hidden = trunk(input_ids=ids[:, :-1]).last_hidden_state
        weight = model.model.embed_tokens.weight
        return LinearCrossEntropy.apply(
            hidden.flatten(0, 1).float(), weight, ids[:, 1:].flatten(), PAD, train["loss_chunk"]
        )

    return loss_of


@torch.no_grad()
def validate(loss_of: Any, work: Path, train: dict[str, Any]) -> float:
    """Mean loss in nats a token over the first rows of the packages held out."""
    rows = np.load(work / "validation.npy", mmap_mode="r")[: train["validation_rows"]]
    batches = range(0, len(rows) - train["batch"] + 1, train["batch"])
    return float(np.mean([loss_of(rows[i : i + train["batch"]]).item() for i in batches]))


def save(model: GemmaForCausalLM, optimizers: Optimizers, train: dict[str, Any], path: Path, step: int) -> None:
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{index}.{key}": torch.as_tensor(v).clone() for key, v in values.items()}
    state["step"], state["schedule"] = torch.tensor(step), torch.tensor([train["steps"], train["decay_steps"]])
    unfinished = path.with_suffix(".unfinished")
    save_file(state, unfinished)
    unfinished.replace(path)


def resume(model: GemmaForCausalLM, optimizers: Optimizers, train: dict[str, Any], work: Path) -> int:
    """Loads the state to go on from and returns its step: the last one whose learning rate was what it would be now.

    Exits where there are states and none will do, rather than begin again and write over them.
    """
    paths = [path for name in ("checkpoint", "stable") if (path := work / f"{name}.safetensors").exists()]
    for path in paths:
        state = load_file(path)
        step, (steps, decay) = int(state.pop("step")), state.pop("schedule").tolist()
        constant = step <= min(steps - decay, train["steps"] - train["decay_steps"])
        if constant or (steps, decay) == (train["steps"], train["decay_steps"]):
            restore(model, optimizers, state)
            return step
    if paths:
        sys.exit(f"{work} holds a run whose learning rate has fallen already; raise steps, or move it away.")
    return 0


def restore(model: GemmaForCausalLM, optimizers: Optimizers, state: dict[str, torch.Tensor]) -> None:
    for number, optimizer in enumerate(optimizers):
        saved = optimizer.state_dict()
        restored: dict[int, dict[str, torch.Tensor]] = {}
        for name in [n for n in state if n.startswith(f"optimizer.{number}.")]:
            _, _, index, key = name.split(".")
            restored.setdefault(int(index), {})[key] = state.pop(name)
        optimizer.load_state_dict({"state": restored, "param_groups": saved["param_groups"]})
    unfit = model.load_state_dict(state, strict=False)
    if unfit.unexpected_keys or set(unfit.missing_keys) - {"lm_head.weight"}:
        sys.exit("The checkpoint is of a model of another shape; move it away, or restore its configuration.")


if __name__ == "__main__":
    main()
