"""Measures the speed of prefill and generation, beside llama-server with the same model: one cold prompt, no editor, no
drafts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.typing.llama_server import LlamaServer
from codegemma_lsp.benchmarks.typing.server import SERVER
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.speed import Speed, cold_text, speed
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.models import model_path
from codegemma_lsp.settings import Settings

BASELINE = "llama-server"
READ, WRITTEN, ROUNDS = 512, 48, 5
"""The number of prompt tokens, the number of generated tokens, and the number of rounds, in which the systems
alternate."""
CONTEXT, BATCH = 1024, 512


async def measure(settings: Settings, on_progress: Callable[[str], None]) -> dict[str, Speed]:
    """Returns the medians of each system's rounds. Raises ``RuntimeError``, and what engines raise."""
    batch = settings.batch_tokens if "batch_tokens" in settings.model_fields_set else BATCH
    chosen = settings.model_copy(update={"context_tokens": CONTEXT, "batch_tokens": batch, "slots": 1})
    engine = await asyncio.to_thread(engines.load, chosen)
    server = await _fastest_server(settings, engine, on_progress)
    found: dict[str, list[Speed]] = {SERVER: [], BASELINE: []}
    try:
        for number in range(ROUNDS):
            on_progress(f"reading and writing, {number + 1} of {ROUNDS}")
            text = cold_text(engine, READ, number)
            found[SERVER].append(await speed(engine, text, WRITTEN))
            found[BASELINE].append(await _baseline_speed(server, text))
    finally:
        await server.stop()
        await asyncio.to_thread(engine.close)
    return {
        name: Speed(median(s.prefill for s in all_), median(s.decode for s in all_)) for name, all_ in found.items()
    }


async def _fastest_server(settings: Settings, engine: Engine, on_progress: Callable[[str], None]) -> LlamaServer:
    """Returns a running server with the number of threads that generates fastest. This package's engine adapts its
    threads while it runs."""
    on_progress("measuring llama-server's threads")
    found: list[tuple[float, int]] = []
    for count in sorted({engine.threads, processors()}):
        server = LlamaServer(model_path(settings.model), count, CONTEXT, BATCH, settings.gpu_layers)
        await server.start()
        try:
            found.append(((await _baseline_speed(server, cold_text(engine, READ, -count))).decode, count))
        finally:
            await server.stop()
    server = LlamaServer(model_path(settings.model), max(found)[1], CONTEXT, BATCH, settings.gpu_layers)
    await server.start()
    return server


def ratios(found: Mapping[str, Speed]) -> Speed:
    """Returns codegemma-lsp's speed divided by llama-server's."""
    server, baseline = found[SERVER], found[BASELINE]
    return Speed(server.prefill / baseline.prefill, server.decode / baseline.decode)


async def _baseline_speed(server: LlamaServer, text: str) -> Speed:
    body = {"prompt": text, "n_predict": WRITTEN, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
    answer: dict[str, Any] = (await server.http.post("/completion", json=body)).raise_for_status().json()
    timings = answer["timings"]
    return Speed(timings["prompt_per_second"], timings["predicted_per_second"])
