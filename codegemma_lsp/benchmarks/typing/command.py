"""``codegemma-lsp bench`` plays sessions, and then prints tables and writes a summary in JSON and a plot."""

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
from codegemma_lsp.benchmarks.typing.run import OnProgress, against_baseline, as_options, mechanics
from codegemma_lsp.benchmarks.typing.sessions import Rhythm, sessions
from codegemma_lsp.benchmarks.typing.throughput import measure as measure_throughput
from codegemma_lsp.benchmarks.typing.typed_files import SOURCES
from codegemma_lsp.benchmarks.typing.typist_plot import plot_typist
from codegemma_lsp.benchmarks.typing.typist_report import typist_table
from codegemma_lsp.benchmarks.typing.typist_run import KEYS, TypistFindings, TypistRequest, run_typist
from codegemma_lsp.benchmarks.typing.windows import measure as measure_windows
from codegemma_lsp.engines.backends.llama_cpp import kernels
from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.extras import install_command
from codegemma_lsp.files import BadOutput, check_picture, check_writable
from codegemma_lsp.models import model_path
from codegemma_lsp.prompt import Family
from codegemma_lsp.settings import Settings

ERRORS = (BadOutput, RuntimeError, TimeoutError, OSError)
TITLES = {Rhythm.PERSON: "At a person's rhythm", Rhythm.FAST: "As fast as answers come"}
WIDTH = 110
"""The number of columns of a table that is not shown in a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """The options of the command line.

    ``typist`` and ``replay`` say what is measured, and ``throughput`` that nothing else is. ``sessions`` is the number
    of sessions that are typed or played. ``keys`` is about how many keys are typed in each, and the maximum number that
    is played. ``languages`` are the typist's. ``windows`` is in how many windows is typed; if it is set, nothing else
    is measured. ``project`` is a folder whose files the typist types, with and without its other files. ``mechanics``,
    ``lengths`` and ``chats`` belong to the replay.
    """

    settings: Settings
    typist: bool
    replay: bool
    rhythms: Sequence[Rhythm]
    languages: Sequence[str]
    sessions: int
    keys: int | None
    seed: int
    baseline: bool
    mechanics: bool
    lengths: bool
    chats: bool
    throughput: bool
    windows: int | None
    project: Path | None
    summary: Path | None
    picture: Path | None


def bench(options: BenchOptions) -> None:
    """Measures, prints and writes the figures. What was measured before an error is written too. Raises ``ERRORS``, and
    what engines raise."""
    check_writable(options.summary, options.picture)
    check_picture(options.picture, "bench")
    if unknown := [name for name in options.languages if name not in SOURCES]:
        raise BadOutput(f"The typist does not type {' or '.join(unknown)}; --language takes {', '.join(SOURCES)}.")
    if options.baseline and find_spec("xllamacpp") is None:
        raise BadOutput(
            "The package xllamacpp, which is llama-server, is missing; leave it out with --no-baseline, or install it"
            f" with: {install_command('bench')}"
        )
    if options.baseline and model_path(options.settings.model).is_dir():
        raise BadOutput(
            "llama-server reads no folders; name a GGUF file with --model, or leave it out with --no-baseline."
        )
    console, found = Console(emoji=False, markup=False), report.Findings()
    if not console.is_terminal:
        console.width = WIDTH
    with Console(stderr=True, emoji=False, markup=False).status("measuring threads") as status:
        try:
            asyncio.run(_measure(options, found, lambda what: status.update(what)))
        finally:
            _write(options, found)
    for table in _tables(found):
        console.print(table)
    if options.picture is not None:
        _draw(found, options.picture)


def _draw(found: report.Findings, picture: Path) -> None:
    """Draws the typist's plot, and the plot of the replay in a file beside it whose name ends in ``-replay``."""
    if found.typist is None:
        plot(found, picture)
        return
    plot_typist(found.typist.figures(), picture, str(found.about.get("model", "")))
    if found.measured:
        plot(found, picture.with_stem(f"{picture.stem}-replay"))


def _tables(found: report.Findings) -> Iterator[Table]:
    if found.typist is not None:
        yield typist_table(found.typist)
    for rhythm, measured in found.measured.items():
        yield report.systems_table(TITLES[rhythm], report.systems(measured))
    if found.throughput:
        yield report.throughput_table(found.throughput)
    if found.switches:
        yield report.mechanics_table(found.switches)
    if found.lengths:
        yield report.lengths_table(found.lengths)
    if found.windows is not None:
        yield report.windows_table(found.windows)
    if found.chats is not None:
        yield report.chats_table(found.chats)


def _write(options: BenchOptions, found: report.Findings) -> None:
    if options.summary is not None:
        options.summary.write_text(json.dumps(report.as_json(found), indent=1, allow_nan=False) + "\n", "utf-8")


async def _measure(options: BenchOptions, found: report.Findings, on_progress: OnProgress) -> None:
    if options.throughput:
        found.throughput = await measure_throughput(options.settings, on_progress)
        return
    settings, kernels, family = await asyncio.to_thread(_fitting, options.settings)
    model = model_path(settings.model)
    found.about = {
        "model": model.name,
        "settings": as_options(settings),
        "seed": options.seed,
        "processors": processors(),
        "kernels": kernels,
    }
    if options.windows is not None:
        unfixed = options.settings.threads == 0  # several processes at once need other numbers than one
        chosen = settings.model_copy(update={"threads": 0}) if unfixed else settings
        found.windows = await measure_windows(chosen, options.windows, options.seed, options.keys, on_progress)
        return
    if options.typist:
        found.typist = TypistFindings()
        keys = KEYS if options.keys is None else options.keys
        request = TypistRequest(
            settings=settings,
            model=model,
            family=family,
            sessions=options.sessions,
            keys=keys,
            seed=options.seed,
            languages=options.languages,
            baseline=options.baseline,
            project=options.project,
        )
        await run_typist(request, found.typist, on_progress)
    if options.replay:
        await _replay(options, settings, model, found, on_progress)


async def _replay(
    options: BenchOptions, settings: Settings, model: Path, found: report.Findings, on_progress: OnProgress
) -> None:
    played = sessions(options.seed, options.keys)[: options.sessions]
    against = against_baseline(model if options.baseline else None, settings, played, options.rhythms, on_progress)
    async for rhythm, measured, baseline in against:
        found.measured[rhythm], found.about["baseline"] = measured, baseline
    if options.mechanics:
        found.switches = await mechanics(settings, options.seed, options.keys, on_progress)
    if options.lengths:
        on_progress("files of 100 to 50,000 lines")
        found.lengths = await measure_lengths(as_options(settings))
    if options.chats:
        try:
            found.chats = await measure_chats(settings, played, on_progress)
        except ModelNotFound as error:
            raise BadOutput(f"{error} Or leave chat out, with --no-chats.") from None


def _fitting(settings: Settings) -> tuple[Settings, str, Family]:
    """Returns settings with the model's context size and the fastest number of threads, the instruction sets of
    llama.cpp, and the model's family."""
    engine = engines.load(settings)
    try:
        threads = settings.threads or engine.threads
        context, family = min(settings.context_tokens, engine.context_tokens), engine.tokenizer.family
    finally:
        engine.close()
    chosen = {**settings.model_dump(exclude_unset=True), "threads": threads, "context_tokens": context}
    return Settings.model_validate(chosen), kernels(), family
