"""``codegemma-lsp models fit`` says which models fit this machine, and how fast they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from codegemma_lsp import engines
from codegemma_lsp.cli.common import Settings_, gigabytes, plain_console, read_settings, say
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.models.fit import Fit, Rate, fit
from codegemma_lsp.models.listing import Row, list_models
from codegemma_lsp.models.machine import this_machine
from codegemma_lsp.settings import Settings

_READ, _WRITTEN = 256, 24
"""The number of prompt tokens and of generated tokens of a measurement."""


def fit_command(
    settings: Settings_ = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as one JSON array.")] = False,
) -> None:
    """List the memory and the speed of all models on this machine, measured where a model is installed."""
    from codegemma_lsp.engines.speed import memory_bandwidth

    chosen = read_settings(None, settings)
    rows = list_models(chosen)
    with plain_console(stderr=True).status("") as status:
        measured: dict[str, tuple[int, Rate]] = {}
        for row in rows:
            if row.here and this_machine().fits(row.memory or row.size):
                status.update(f"Measuring {row.name}…")
                measured |= dict(_measured(row, chosen))
    bandwidth = memory_bandwidth()
    found = [fit(row, measured, bandwidth) for row in rows]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    console = plain_console()
    console.print(_table(found))
    console.print(
        "Reading and writing are in tokens per second: measured where the model is installed, and else estimated (~)"
        " from the nearest one in size.\n! too large for this machine's memory.",
        style="dim",
    )


def _measured(row: Row, settings: Settings) -> Iterator[tuple[str, tuple[int, Rate]]]:
    """Yields the size and the rate of a model. One that cannot be loaded is left out, with a sentence."""
    from codegemma_lsp.engines.speed import cold_text, speed

    chosen = settings.model_copy(update={"model": row.path, "context_tokens": 2 * _READ, "slots": 1})
    try:
        engine = engines.load(chosen)
        try:
            found = asyncio.run(speed(engine, cold_text(engine, _READ), _WRITTEN))
        finally:
            engine.close()
    except EngineError as error:
        say(str(error))
        return
    yield row.name, (row.size, Rate(found.prefill, found.decode))


def _table(found: Sequence[Fit]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    for title in ("weights", "KV cache", "buffers", "memory", "reading", "writing"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found:
        sizes = [_size(size) for size in (one.weights, one.kv_cache, one.buffers)]
        rates = (one.rate.prefill, one.rate.decode) if one.fits else (None, None)
        memory = f"{_size(one.memory)}{'' if one.fits else ' !'}"
        shown = [_rate(rate, is_measured=one.is_measured) for rate in rates]
        table.add_row(one.name, *sizes, memory, *shown, style=None if one.fits else "dim")
    return table


def _size(size: int) -> str:
    return gigabytes(size) if size else ""


def _rate(rate: float | None, *, is_measured: bool) -> str:
    if not rate:
        return ""
    return f"{'' if is_measured else '~'}{rate:,.{0 if rate >= 10 else 1}f}"
