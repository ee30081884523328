"""Measures how fast a model prefills and generates on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from codegemma_lsp.engines.protocol import Engine, Request, Sampling
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.prompt import Prompt, Text

_SOURCE = Path(__file__)
_BLOCK_BYTES = 64_000_000
"""The number of bytes that each thread reads at a time, which no cache holds."""
_PASSES = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """The tokens per second of prefill and of generation."""

    prefill: float
    decode: float


def cold_text(engine: Engine, tokens: int, number: int = 0) -> str:
    """Returns source code of about ``tokens`` tokens that begins differently for each number, so that nothing is
    reused."""
    source = _SOURCE.read_text("utf-8")
    text = f"# {number}\n" + source * (1 + 8 * tokens // len(source))
    found = engine.tokenizer.encode(text)[:tokens]
    return b"".join(engine.tokenizer.piece(token) for token in found).decode(errors="ignore")


async def speed(engine: Engine, text: str, tokens: int) -> Speed:
    """Returns the speed of prefilling a text that the engine has not seen, and of generating ``tokens`` tokens after
    it, which is 0 if the model ends at once. Raises what ``Engine.generate`` raises."""
    prompt = Prompt(segments=(Text(text, "prompt"),), tokens=len(engine.tokenizer.encode(text)))
    usage = (await engine.generate(Request(prompt=prompt, max_tokens=tokens, sampling=Sampling()))).usage
    decoded = max(0, usage.completion_tokens - 1)
    decode = 1000 * decoded / usage.decode_ms if decoded else 0.0
    return Speed(1000 * usage.prefill_tokens / usage.prefill_ms, decode)


def memory_bandwidth() -> float:
    """Returns how many bytes a second all processors together read from memory. It takes about a tenth of a second."""
    count = processors()
    blocks = [np.ones(_BLOCK_BYTES // 8, dtype=np.float64) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(np.sum, blocks))
        began = perf_counter()
        list(pool.map(np.sum, blocks * _PASSES))
    return _PASSES * count * _BLOCK_BYTES / (perf_counter() - began)
