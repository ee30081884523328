"""``codegemma-lsp eval quiet`` prints how often nothing is shown at each kind of moment, without the gate and with
it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.infilling.command import progress, wide_console, write_summary
from codegemma_lsp.benchmarks.infilling.report import mean
from codegemma_lsp.benchmarks.infilling.tasks import BadTasks
from codegemma_lsp.benchmarks.quiet.cases import Case, Kind, cases
from codegemma_lsp.completion import DocumentState, Moment, Query, complete, silence
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.files import check_writable
from codegemma_lsp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietOptions:
    """The options of the command line. ``count`` is the number of moments of each kind in each language."""

    settings: Sequence[Settings]
    count: int
    seed: int
    summary: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quietness:
    """Whether nothing is shown at a moment: by the model's own answer alone, and with the gate before it. ``why`` is
    the gate's reason, or ""."""

    case: Case
    is_quiet_alone: bool
    why: str

    @property
    def is_quiet(self) -> bool:
        return self.is_quiet_alone or bool(self.why)


def evaluate(options: QuietOptions) -> None:
    """Runs each model on the same moments. Raises ``BadTasks``, ``BadOutput``, and what engines raise."""
    check_writable(options.summary)
    drawn = cases(options.count, options.seed)
    if not drawn:
        raise BadTasks("There are no files to draw moments from; install codegemma-lsp with its extra bench.")
    summaries: list[dict[str, Any]] = []
    for settings in options.settings:
        engine = engines.load(select_completion(settings).settings)
        try:
            results = _measure_shown(drawn, engine, settings)
            summaries.append({"model": engine.name, "moments": list(summary(results))})
        finally:
            engine.close()
    write_summary(options.summary, summaries)
    wide_console().print(table(summaries))


def _measure_shown(drawn: Sequence[Case], engine: Engine, settings: Settings) -> list[Quietness]:
    with progress() as shown:
        bar = shown.add_task(engine.name, total=len(drawn), right="")
        return measure(drawn, engine, settings, lambda _: shown.update(bar, advance=1))


def measure(
    drawn: Sequence[Case], engine: Engine, settings: Settings, on_result: Callable[[Quietness], None]
) -> list[Quietness]:
    """Returns what is shown at each moment if an editor asks by itself. Raises what ``Engine.generate`` raises."""
    results = []
    for case in drawn:
        document = Document(uri=f"file:///{case.name}", text=case.text, language=case.language)
        query = Query(document=document, offset=case.offset, path=case.name)
        outcome = asyncio.run(complete(query, DocumentState(), engine, settings))
        results.append(Quietness(case=case, is_quiet_alone=outcome.suggestion is None, why=gate(case)))
        on_result(results[-1])
    return results


def gate(case: Case) -> str:
    """Returns why the gate lets nothing be shown at a moment, or ""."""
    moment = Moment(text=case.text, offset=case.offset, language=case.language, has_deleted=case.has_deleted)
    why = silence(moment)
    return why.value if why is not None else ""


def summary(results: Sequence[Quietness]) -> Iterator[dict[str, Any]]:
    """Yields the shares of quiet moments, from 0 to 1, of each kind, of each language, and of all. Moments of typing
    are apart, because a suggestion is welcome there."""
    wrong = [one for one in results if one.case.kind is not Kind.TYPING]
    for kind in Kind:
        yield from _row(kind.value, [one for one in results if one.case.kind is kind])
    for language in dict.fromkeys(one.case.language for one in wrong):
        yield from _row(f"all but typing, {language}", [one for one in wrong if one.case.language == language])
    yield from _row("all but typing", wrong)


def _row(name: str, results: Sequence[Quietness]) -> Iterator[dict[str, Any]]:
    if results:
        shares = {"alone": mean([r.is_quiet_alone for r in results]), "gated": mean([r.is_quiet for r in results])}
        yield {"moments": name, "n": len(results), **shares}


def table(summaries: Sequence[dict[str, Any]]) -> Table:
    """Returns a table of the shares of moments at which nothing is shown, by the model alone and with the gate."""
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "moments"):
        shown.add_column(name, no_wrap=True)
    for name in ("n", "quiet alone", "quiet with the gate"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in summaries:
        for row in one["moments"]:
            shares = (f"{100 * row[name]:.1f}%" for name in ("alone", "gated"))
            shown.add_row(Text(one["model"]), row["moments"], str(row["n"]), *shares)
    return shown
