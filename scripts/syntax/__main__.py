"""Counts the suggestions that break a file, by the languages' own parsers.

    python -m scripts.syntax [--language NAME ...] [--count N] [--seed N] [--model NAME] FOLDER ...

Suggestions are made at random places of the files in the folders, by the server's own steps, and accepted. What the
model says there is text of the same files from elsewhere, or with ``--model`` what that model says. The status is 1 if
more than one suggestion in a thousand breaks its file, and in Python if any does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from codegemma_lsp.engines import load
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings
from scripts.syntax.breakage import Count, count
from scripts.syntax.cases import Case, cases, sources
from scripts.syntax.parsers import LANGUAGES, Missing, parser
from tests.scripted import ScriptedEngine

MOST = {"python": 0.0}
MOST_ELSEWHERE = 0.001
"""The share of suggestions that may break their file."""
PLACES_FOR_ONE = 40
"""Places that are tried for each wanted suggestion at most."""


def main() -> int:
    arguments = _arguments()
    engine_for = _engines(arguments.model)
    results = list[Count]()
    for language in arguments.language or LANGUAGES:
        files = sources(language, arguments.folders)
        try:
            parse = parser(language)
        except Missing as missing:
            print(f"{language} is left out: {missing}")
            continue
        if not files:
            print(f"{language} is left out: no file of it is in {', '.join(map(str, arguments.folders))}")
            continue
        places = islice(cases(files, arguments.seed), arguments.count * PLACES_FOR_ONE)
        results.append(asyncio.run(count(language, places, parse, engine_for, arguments.count)))
        _show(results[-1], arguments.show)
    Console().print(_table(results))
    return int(any(len(one.breakages) > MOST.get(one.language, MOST_ELSEWHERE) * one.suggestions for one in results))


def _arguments() -> argparse.Namespace:
    found = argparse.ArgumentParser(prog="python -m scripts.syntax", description=__doc__.split("\n")[0])
    found.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="files, or folders with files")
    found.add_argument("--language", action="append", choices=LANGUAGES, help="may be repeated; the default is all")
    found.add_argument("--count", type=int, default=1000, help="suggestions for each language")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--model", help="a model's name or path, in place of the files' own text")
    found.add_argument("--show", type=int, default=20, help="broken files to print for each language")
    return found.parse_args()


def _engines(model: str | None) -> Callable[[Case], Engine]:
    if model is None:
        return lambda case: ScriptedEngine(case.said)
    engine = load(Settings(model=model))
    return lambda case: engine


def _show(result: Count, most: int) -> None:
    for one in result.breakages[:most]:
        print(f"{result.language}: {one.error}\n    {one.case.before[-80:]!r} [{one.shown!r}] {one.case.after[:60]!r}")


def _table(results: list[Count]) -> Table:
    table = Table("language", "places", "suggestions", "broken", "in 1,000")
    for one in results:
        share = 1000 * len(one.breakages) / max(1, one.suggestions)
        table.add_row(one.language, f"{one.places:,}", f"{one.suggestions:,}", str(len(one.breakages)), f"{share:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
