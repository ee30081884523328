"""How fast a model reads and writes, beside llama-server on the same file: one cold prompt, no editor, no guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.typing.llama_server import LlamaServer
from codegemma_lsp.benchmarks.typing.run import OURS
from codegemma_lsp.engines.protocol import Engine, Request, Sampling
from codegemma_lsp.models import model_path
from codegemma_lsp.prompt import Prompt, Text
from codegemma_lsp.settings import Settings

PEER = "llama-server"
READ, WRITTEN, ROUNDS = 512, 48, 5
"""Prompt tokens, generated tokens, and how often both are measured in turns."""
CONTEXT, BATCH = 1024, 512
_SOURCE = Path(__file__).with_name("sessions.py")


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second."""

    read: float
    written: float


async def measure(settings: Settings, told: Callable[[str], None]) -> dict[str, Speed]:
    """The median of each system's rounds, which alternate. Raises ``RuntimeError``, and what engines raise."""
    batch = settings.batch_tokens if "batch_tokens" in settings.model_fields_set else BATCH
    chosen = settings.model_copy(update={"context_tokens": CONTEXT, "batch_tokens": batch, "slots": 1})
    engine = await asyncio.to_thread(engines.load, chosen)
    server = LlamaServer(model_path(settings.model), engine.threads, CONTEXT, BATCH, settings.gpu_layers)
    await server.start()
    found: dict[str, list[Speed]] = {OURS: [], PEER: []}
    try:
        for number in range(ROUNDS):
            told(f"reading and writing, {number + 1} of {ROUNDS}")
            text = _prompt(engine, number)
            found[OURS].append(await _ours(engine, text))
            found[PEER].append(await _peers(server, text))
    finally:
        await server.stop()
        await asyncio.to_thread(engine.close)
    return {name: Speed(median(s.read for s in all_), median(s.written for s in all_)) for name, all_ in found.items()}


def ratios(found: Mapping[str, Speed]) -> Speed:
    """Ours in terms of the peer's."""
    return Speed(found[OURS].read / found[PEER].read, found[OURS].written / found[PEER].written)


def _prompt(engine: Engine, number: int) -> str:
    """Source code of about ``READ`` tokens that begins otherwise each time, so that nothing is reused."""
    text = f"# {number}\n" + _SOURCE.read_text("utf-8") * 4
    tokens = engine.tokenizer.encode(text)[:READ]
    return b"".join(engine.tokenizer.piece(token) for token in tokens).decode(errors="ignore")


async def _ours(engine: Engine, text: str) -> Speed:
    prompt = Prompt((Text(text, "prompt"),), len(engine.tokenizer.encode(text)))
    usage = (await engine.generate(Request(prompt, WRITTEN, Sampling()))).usage
    return Speed(1000 * usage.prefill_tokens / usage.prefill_ms, 1000 * (usage.completion_tokens - 1) / usage.decode_ms)


async def _peers(server: LlamaServer, text: str) -> Speed:
    body = {"prompt": text, "n_predict": WRITTEN, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
    answer: dict[str, Any] = (await server.http.post("/completion", json=body)).raise_for_status().json()
    timings = answer["timings"]
    return Speed(timings["prompt_per_second"], timings["predicted_per_second"])
