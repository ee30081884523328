"""Cross entropy of a large vocabulary without its logits: a few rows at a time, gradients made on the way.

The logits of a step are by far its largest tensor (tokens x pieces); made, kept and read back they cost more time than
the layers. Here each chunk's are dropped as soon as their gradient is in the hidden states' and the embedding's
(as in Liger Kernel, Hsu et al. 2024, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear, one_hot


class LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, ignored: int, chunk: int
    ) -> torch.Tensor:
        """Mean loss in nats; hidden (n, d), weight (pieces, d), targets (n,), those equal to ``ignored`` left out."""
        half = weight.detach().to(torch.bfloat16)
        keep = (targets != ignored).float()
        count = keep.sum().clamp(min=1)
        total = torch.zeros((), device=hidden.device)
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        for first in range(0, len(hidden), chunk):
            rows = slice(first, first + chunk)
            part = hidden[rows].to(torch.bfloat16)
            logits = linear(part, half).float()
            norm = torch.logsumexp(logits, 1)
            chosen = targets[rows, None]
            total += ((norm - logits.gather(1, chosen)[:, 0]) * keep[rows]).sum()
            logits.sub_(norm[:, None]).exp_()
            logits.scatter_add_(1, chosen, -torch.ones_like(chosen, dtype=logits.dtype))
            slope = logits.mul_(keep[rows, None] / count).to(torch.bfloat16)
            to_hidden[rows] = slope @ half
            to_weight += slope.t() @ part
        ctx.save_for_backward(to_hidden, to_weight)
        return total / count

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_hidden, to_weight = ctx.saved_tensors
        return to_hidden * slopes[0], to_weight * slopes[0], None, None, None


def reference(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, ignored: int) -> torch.Tensor:
    """The same by the book, in double precision, to check against."""
    logs = torch.log_softmax(linear(hidden.double(), weight.double()), 1)
    losses = -(logs * one_hot(targets, len(weight))).sum(1)
    return losses[targets != ignored].mean()
