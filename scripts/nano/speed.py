"""Rehearses a run: a few steps of the configured model on random tokens, and what that comes to in an hour.

It is how a size is chosen for the machine at hand, and how a long run is checked before it is paid for.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from common import configuration
from train import build, losses, make_optimizers

STEPS = 4


def main() -> None:
    config, _ = configuration(__doc__ or "")
    train, context, pieces = config["train"], config["pack"]["context"], config["tokenizer"]["pieces"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build(config).to(device)
    optimizers, loss_of = make_optimizers(model, train), losses(model, train, device)
    rows = np.random.default_rng(0).integers(108, pieces, (train["batch"], context), dtype=np.uint16)
    times = []
    for _ in range(STEPS):
        began = time.perf_counter()
        loss = loss_of(rows)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        loss.item()  # waits until the device is done
        times.append(time.perf_counter() - began)
    speed = rows.size / min(times)
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} million parameters on {device}: {speed:,.0f} tokens a"
        f" second, {speed * 3600 / 1e6:,.0f} million an hour; {train['steps']} steps in"
        f" {train['steps'] * rows.size / speed / 60:,.0f} minutes; first step {times[0]:.1f} s"
    )


if __name__ == "__main__":
    main()
