"""``codegemma-lsp bench``: plays, and then tables, a summary in JSON, a picture."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.typing import report
from codegemma_lsp.benchmarks.typing.chats import measure as measure_chats
from codegemma_lsp.benchmarks.typing.lengths import measure as measure_lengths
from codegemma_lsp.benchmarks.typing.plot import plot
from codegemma_lsp.benchmarks.typing.run import Told, against_the_peer, as_options, mechanics
from codegemma_lsp.benchmarks.typing.sessions import Rhythm, sessions
from codegemma_lsp.benchmarks.typing.throughput import measure as measure_throughput
from codegemma_lsp.engines.backends.llama_cpp import kernels
from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.files import BadOutput, check_picture, check_writable
from codegemma_lsp.models import model_path
from codegemma_lsp.settings import Settings

ERRORS = (BadOutput, RuntimeError, TimeoutError, OSError)
TITLES = {Rhythm.PERSON: "At a person's rhythm", Rhythm.FAST: "As fast as answers come"}
WIDTH = 110
"""Columns of a table that is not shown in a terminal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. ``sessions``: how many are played; ``keys``: at most so many of each; ``throughput``: only that
    is measured."""

    settings: Settings
    rhythms: Sequence[Rhythm]
    sessions: int
    keys: int | None
    seed: int
    peer: bool
    mechanics: bool
    lengths: bool
    chats: bool
    throughput: bool
    summary: Path | None
    picture: Path | None


def bench(asked: Asked) -> None:
    """Raises ``ERRORS``, and what engines raise. What was measured before an error is written all the same."""
    check_writable(asked.summary, asked.picture)
    check_picture(asked.picture, "bench")
    if asked.peer and find_spec("xllamacpp") is None:
        raise BadOutput(
            "The package xllamacpp, the peer, is missing; pip install 'codegemma-lsp[bench]' brings it, --no-peer does"
            " without."
        )
    if asked.peer and model_path(asked.settings.model).is_dir():
        raise BadOutput("llama-server reads no folders; name a GGUF file with --model, or leave it out with --no-peer.")
    console, found = Console(), report.Findings()
    if not console.is_terminal:
        console.width = WIDTH
    with Console(stderr=True).status("measuring threads") as status:
        try:
            asyncio.run(_measure(asked, found, lambda what: status.update(what)))
        finally:
            _write(asked, found)
    for table in _tables(found):
        console.print(table)
    if asked.picture is not None:
        plot(found, asked.picture)


def _tables(found: report.Findings) -> Iterator[Table]:
    for rhythm, measured in found.measured.items():
        yield report.systems_table(TITLES[rhythm], report.systems(measured))
    if found.throughput:
        yield report.throughput_table(found.throughput)
    if found.switches:
        yield report.mechanics_table(found.switches)
    if found.lengths:
        yield report.lengths_table(found.lengths)
    if found.chats is not None:
        yield report.chats_table(found.chats)


def _write(asked: Asked, found: report.Findings) -> None:
    if asked.summary is not None:
        asked.summary.write_text(json.dumps(report.as_json(found), indent=1, allow_nan=False) + "\n", "utf-8")


async def _measure(asked: Asked, found: report.Findings, told: Told) -> None:
    if asked.throughput:
        found.throughput = await measure_throughput(asked.settings, told)
        return
    settings, kernels = await asyncio.to_thread(_fitting, asked.settings)
    model = model_path(settings.model)
    found.about = {
        "model": model.name,
        "settings": as_options(settings),
        "seed": asked.seed,
        "processors": processors(),
        "kernels": kernels,
    }
    played = sessions(asked.seed, asked.keys)[: asked.sessions]
    against = against_the_peer(model if asked.peer else None, settings, played, asked.rhythms, told)
    async for rhythm, measured, peer in against:
        found.measured[rhythm], found.about["peer"] = measured, peer
    if asked.mechanics:
        found.switches = await mechanics(settings, asked.seed, asked.keys, told)
    if asked.lengths:
        told("files of 100 to 50 000 lines")
        found.lengths = await measure_lengths(as_options(settings))
    if asked.chats:
        try:
            found.chats = await measure_chats(settings, played, told)
        except ModelNotFound as error:
            raise BadOutput(f"{error} Or leave chat out, with --no-chats.") from None


def _fitting(settings: Settings) -> tuple[Settings, str]:
    """With the context that the model has and the threads that are fastest; and what our kernels were built for."""
    engine = engines.load(settings)
    try:
        threads = settings.threads or engine.threads
        context = min(settings.context_tokens, engine.context_tokens)
    finally:
        engine.close()
    chosen = {**settings.model_dump(exclude_unset=True), "threads": threads, "context_tokens": context}
    return Settings.model_validate(chosen), kernels()
