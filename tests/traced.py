"""Generations with what was chosen at each step, to compare engines and speed-ups by (invariant 7)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from codegemma_lsp.engines import generation
from codegemma_lsp.engines.protocol import Generation, Request, Sampling
from codegemma_lsp.engines.sampling import Choice, Ids, Logits, choose
from codegemma_lsp.engines.scheduler import ScheduledEngine
from codegemma_lsp.prompt import Budget, CursorContext, Layout, Prompt, build_fim

SOURCE = (Path(__file__).parent / "data" / "document.py").read_text("utf-8")
AT = SOURCE.index("    def line_text")


def prompt_at(engine: ScheduledEngine, text: str, offset: int, *, heal: bool = True) -> Prompt:
    return build_fim(
        CursorContext(path="document.py", text=text, offset=offset),
        Layout.ANCHORED,
        Budget(prompt=700),
        engine.tokenizer,
        heal,
    )[0]


def request_at(engine: ScheduledEngine, offset: int = AT, max_tokens: int = 24) -> Request:
    return Request(prompt=prompt_at(engine, SOURCE, offset), max_tokens=max_tokens)


TIE = 0.2
"""Logits: llama.cpp rounds differently in batches of different size."""


@dataclass(frozen=True)
class Traced:
    """A generation, and how far each token that was chosen was ahead of the next best, in logits."""

    generation: Generation
    choices: tuple[tuple[int, float], ...]


def traced(engine: ScheduledEngine, request: Request) -> Traced:
    choices: list[tuple[int, float]] = []

    def tracing(logits: Logits, sampling: Sampling, rng: np.random.Generator, candidates: Ids | None = None) -> Choice:
        choice = choose(logits, sampling, rng, candidates)
        best = np.sort(logits if candidates is None else logits[candidates])[-2:]
        choices.append((choice.token, float(best[-1] - best[0]) if len(best) > 1 else np.inf))
        return choice

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "choose", tracing)
        return Traced(engine.run(request), tuple(choices))


def check_same(one: Traced, other: Traced) -> None:
    """The same tokens, or up to the first one that was a tie but for rounding."""
    for (token, ahead), (other_token, other_ahead) in zip(one.choices, other.choices, strict=False):
        if token != other_token:
            assert max(ahead, other_ahead) < TIE
            return
    assert one.generation.text == other.generation.text
