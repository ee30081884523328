"""``codegemma-lsp stats`` shows what became of suggestions."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.alias_generators import to_camel

from codegemma_lsp.cli.common import Failure, plain_console, remark, sentence
from codegemma_lsp.cli.stats_tables import print_stats
from codegemma_lsp.files import BadOutput, check_writable
from codegemma_lsp.settings.sources import settings_from
from codegemma_lsp.usage import Count, Store, Summary, What, grouped, state_folder, summary_of

_AS_COUNTED = {"kept_30s": What.KEPT_30S.value, "kept_10min": What.KEPT_10MIN.value}


def stats_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print all sums as one JSON object.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write the counts to a CSV file instead.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete all counts instead.")] = False,
) -> None:
    """Show what suggestions were worth: what was shown, accepted and kept, by day, language and model.

    The counts are kept on this machine and never sent.
    """
    store = Store(state_folder())
    try:
        if clear:
            store.clear()
            remark("The counts are deleted.")
            return
        counts = store.read()
        if export is not None:
            check_writable(export)
            _write(export, counts)
            return
    except (sqlite3.Error, OSError, BadOutput) as error:
        name = f"{store.path} cannot be read or written ({error}); delete it to begin anew."
        raise Failure(name if isinstance(error, sqlite3.Error) else sentence(error)) from None
    if as_json:
        typer.echo(json.dumps(as_object(counts), ensure_ascii=False, indent=2))
    elif counts:
        print_stats(plain_console(), counts, date.today())
    else:
        is_on = settings_from({})[0].usage
        typer.echo(
            "Nothing has been counted yet." if is_on else "Nothing is counted, because the setting usage is off."
        )


def as_object(counts: Sequence[Count]) -> dict[str, Any]:
    """Returns the sums of all counts, and those of each day, language and model."""
    return {
        "total": _camel(summary_of(counts)),
        "days": {name: _camel(one) for name, one in grouped(counts, lambda c: c.day).items()},
        "languages": {name: _camel(one) for name, one in grouped(counts, lambda c: c.language).items()},
        "models": {name: _camel(one) for name, one in grouped(counts, lambda c: c.model).items()},
    }


def _camel(summary: Summary) -> dict[str, Any]:
    return {_AS_COUNTED.get(name) or to_camel(name): value for name, value in asdict(summary).items()}


def _write(path: Path, counts: Sequence[Count]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("day", "language", "model", "what", "detail", "amount"))
        writer.writerows((c.day, c.language, c.model, c.what.value, c.detail, c.amount) for c in counts)
