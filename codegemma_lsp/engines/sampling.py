"""Chooses the next token from logits. All engines use this module, so that equal logits give equal choices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codegemma_lsp.engines.protocol import ModelUnusable, Sampling

Logits: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Choice:
    """A token and its log-probability in nats, which is relative to the candidates if there were any."""

    token: int
    logprob: float


def choose(logits: Logits, sampling: Sampling, rng: np.random.Generator, candidates: Ids | None = None) -> Choice:
    """Returns the next token. ``logits`` has shape (vocabulary,). ``candidates``, if given, are the only ids
    allowed. Raises ``ModelUnusable`` if the logits are no numbers."""
    values: npt.NDArray[Any] = logits if candidates is None else logits[candidates]
    best = int(np.argmax(values))
    with np.errstate(invalid="ignore"):
        total = float(values[best]) + float(np.log(np.sum(np.exp(values - values[best]))))
    if not math.isfinite(total):
        raise ModelUnusable("The model's file is damaged: what it computes is no number; download it again.")
    picked = best if sampling.temperature <= 0 else _draw(values, sampling, rng)
    token = picked if candidates is None else int(candidates[picked])
    return Choice(token, float(values[picked]) - total)


def _draw(values: npt.NDArray[Any], sampling: Sampling, rng: np.random.Generator) -> int:
    """Returns an index that was drawn at the given temperature after top-k, then top-p (Holtzman et al. 2020)."""
    count = min(sampling.top_k or len(values), len(values))
    order = np.argpartition(-values, count - 1)[:count]
    order = order[np.argsort(-values[order], kind="stable")]
    with np.errstate(over="ignore"):  # at almost no temperature, a quotient may be infinite
        weights = np.exp((values[order] - values[order[0]]).astype(np.float64) / sampling.temperature)
    weights /= weights.sum()
    kept = int(np.searchsorted(np.cumsum(weights), sampling.top_p)) + 1
    weights = weights[:kept] / weights[:kept].sum()
    return int(order[:kept][rng.choice(len(weights), p=weights)])
