"""Draws the loss over a run (``loss.png`` in the work directory): training, smoothed, and packages held out."""

from __future__ import annotations

import json
from statistics import fmean

from common import configuration
from matplotlib.figure import Figure

SMOOTHED = 10


def main() -> None:
    config, work = configuration(__doc__ or "")
    records = [json.loads(line) for line in (work / "loss.jsonl").open(encoding="utf-8")]
    tokens = config["train"]["batch"] * config["pack"]["context"] / 1e6
    held_out = [r for r in records if "validation" in r]
    smooth = [fmean(r["loss"] for r in records[max(0, i - SMOOTHED) : i + 1]) for i in range(len(records))]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([r["step"] * tokens for r in records], smooth, label="training")
    axes.plot([r["step"] * tokens for r in held_out], [r["validation"] for r in held_out], "o-", label="held out")
    fall = (config["train"]["steps"] - config["train"]["decay_steps"]) * tokens
    axes.axvline(fall, color="grey", linestyle=":", label="learning rate begins to fall")
    axes.set_xlabel("tokens seen, millions")
    axes.set_ylabel("loss, nats a token")
    axes.set_ylim(min(smooth) - 0.3, min(7.0, max(smooth)))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(work / "loss.png", dpi=150)
    print(work / "loss.png")


if __name__ == "__main__":
    main()
