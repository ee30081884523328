"""``codegemma-lsp bench``: plays, and then tables, a summary in JSON, a picture."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from codegemma_lsp import engines
from codegemma_lsp.bench import report
from codegemma_lsp.bench.lengths import Length
from codegemma_lsp.bench.lengths import measure as measure_lengths
from codegemma_lsp.bench.plot import plot
from codegemma_lsp.bench.run import Measured, Told, against_the_peer, mechanics
from codegemma_lsp.bench.sessions import Rhythm, sessions
from codegemma_lsp.bench.summary import Summary
from codegemma_lsp.models import model_path
from codegemma_lsp.outputs import BadOutput, check_picture, check_writable
from codegemma_lsp.settings import Settings

ERRORS = (BadOutput, RuntimeError, TimeoutError, OSError)
WIDTH = 110
"""Columns of a table that is not shown in a terminal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. ``sessions``: how many are played; ``keys``: at most so many of each."""

    settings: Settings
    rhythms: Sequence[Rhythm]
    sessions: int
    keys: int | None
    seed: int
    mechanics: bool
    lengths: bool
    summary: Path | None
    picture: Path | None


def bench(asked: Asked) -> None:
    """Raises ``ERRORS``, and what engines raise."""
    check_writable(asked.summary, asked.picture)
    check_picture(asked.picture, "bench")
    if find_spec("xllamacpp") is None:
        raise BadOutput("The package xllamacpp, the peer, is missing; pip install 'codegemma-lsp[bench]' brings it.")
    console, progress = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = WIDTH
    with progress.status("measuring threads") as status:
        measured, switches, lengths = asyncio.run(_measure(asked, lambda what: status.update(what)))
    found = report.as_json(measured, switches, lengths)
    if asked.summary is not None:
        asked.summary.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for rhythm, systems in found["rhythms"].items():
        title = {"person": "At a person's rhythm", "fast": "As fast as answers come"}[rhythm]
        console.print(report.systems_table(title, systems))
    if switches:
        console.print(report.mechanics_table(switches))
    if lengths:
        console.print(report.lengths_table(lengths))
    if asked.picture is not None:
        plot(measured, lengths, asked.picture)


async def _measure(asked: Asked, told: Told) -> tuple[dict[str, Measured], dict[str, Summary], list[Length]]:
    settings = await asyncio.to_thread(_fitting, asked.settings)
    threads, model = settings.threads, model_path(settings.model)
    played = sessions(asked.seed, asked.keys)[: asked.sessions]
    measured = await against_the_peer(model, settings, threads, played, asked.rhythms, told)
    switches = await mechanics(settings, threads, asked.seed, asked.keys, told) if asked.mechanics else {}
    told("files of 100 to 50 000 lines")
    lengths = await measure_lengths({"model": settings.model, "threads": threads}) if asked.lengths else []
    return measured, switches, lengths


def _fitting(settings: Settings) -> Settings:
    """With the context that the model has, and the threads that are fastest here, for both systems alike."""
    engine = engines.load(settings)
    try:
        threads = settings.threads or engine.threads
        context = min(settings.context_tokens, engine.context_tokens)
    finally:
        engine.close()
    return Settings.model_validate(
        {**settings.model_dump(exclude_unset=True), "threads": threads, "context_tokens": context}
    )
