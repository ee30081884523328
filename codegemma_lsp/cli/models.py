"""``codegemma-lsp models`` lists, downloads, chooses and removes models."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from codegemma_lsp.cli.common import Failure, Usage, gigabytes, plain_console, read_settings
from codegemma_lsp.cli.suggestions import model_names
from codegemma_lsp.files import is_regular
from codegemma_lsp.models import AUTO, BUNDLED, CATALOGUE, is_url
from codegemma_lsp.models import store as kept
from codegemma_lsp.models.catalogue import did_you_mean
from codegemma_lsp.models.listing import list_models as all_models
from codegemma_lsp.models.packaged import PACKAGED
from codegemma_lsp.settings import sources

models = typer.Typer(help="List, download and choose models.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="A model's name, as codegemma-lsp models list shows it.", autocompletion=model_names)
]


@models.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as one JSON array.")] = False,
) -> None:
    """List all models, the memory that each needs, and which are installed."""
    rows = all_models(read_settings(None, None))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("name", no_wrap=True, min_width=max(len(row.name) for row in rows))
    table.add_column("file", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("what for", min_width=17)
    for row in rows:
        purpose = f"{row.in_use}: {row.about}" if row.in_use else row.about
        memory = f"{gigabytes(row.memory)}{'' if row.fits else ' !'}" if row.memory else ""
        size = f"{'' if row.size_is_exact else '~'}{gigabytes(row.size)}"
        mark = "*" if row.in_use else "+" if row.here else ""
        table.add_row(mark, row.name, size, memory, row.licence, purpose, style=None if row.fits else "dim")
    console = plain_console()
    console.print(table)
    console.print(
        "* in use, + here, ! too large for this machine's memory; ~ about.\nFetch one: codegemma-lsp models pull NAME;"
        " choose it: codegemma-lsp models use NAME",
        style="dim",
    )


@models.command()
def pull(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names of models, as codegemma-lsp models list shows them.",
            autocompletion=model_names,
        ),
    ],
) -> None:
    """Download models. An interrupted download is continued."""
    from codegemma_lsp.models.download.part import Progress as Step
    from codegemma_lsp.models.download.pull import pull as fetch

    for name in names:
        if name not in CATALOGUE:
            raise Usage(f"There is no model {name} in the catalogue; {did_you_mean(name, list(CATALOGUE))}")
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    for name in names:
        console = plain_console(stderr=True, soft_wrap=True)
        if name != BUNDLED and not kept.stored_path(name).is_file():
            licence = CATALOGUE[name].licence
            console.print(f"{name}: {CATALOGUE[name].about}; licence: {licence.name}, {licence.page}")
        with Progress(TextColumn("{task.description}", markup=False), *columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)

            def told(step: Step) -> None:
                bar.update(task, completed=step.done, total=step.total, description=f"{name} {step.doing}")  # noqa: B023

            path = fetch(name, told)
        typer.echo(f"{name}: {path}")


@models.command()
def use(
    name: Name,
    chat: Annotated[bool, typer.Option("--chat", help="Use the model for chat and edits.")] = False,
) -> None:
    """Use a model in every editor that sets no other one. auto is the best installed one."""
    setting, purpose = ("chatModel", "chat") if chat else ("model", "completion")
    model = CATALOGUE.get(name)
    if model is not None and not (model.chats if chat else model.completes):
        other = "leave out --chat" if chat else "use it with --chat"
        raise Usage(f"{name} is not made for {purpose}; {other}, or choose another model.")
    if name != AUTO and not is_url(name):
        _must_be_here(name)
    try:
        path = sources.save(setting, name)
    except sources.NotSaved as error:
        raise Failure(str(error)) from None
    settings, _, _ = sources.settings_from({})
    effective = settings.chat_model if chat else settings.model
    typer.echo(f"{setting} is {name} now, in {path}; editors that are open take it when the server starts again.")
    if effective != name:
        typer.echo(
            f"The environment variable CODEGEMMA_{'CHAT_MODEL' if chat else 'MODEL'} goes before it: {effective}"
        )


def _must_be_here(name: str) -> None:
    """Raises ``Usage`` for an unknown name, and ``ModelMissing`` for a model that is not installed."""
    names = kept.known_names()
    if name not in names:
        raise Usage(f"There is no model {name}; {did_you_mean(name, names)}")
    kept.resolve(name)


@models.command()
def path(name: Name) -> None:
    """Print the path of a model's file."""
    _must_be_here(name)
    typer.echo(kept.resolve(name))


@models.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The GGUF file.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the model; the default is the file's name.")
    ] = None,
) -> None:
    """Add a GGUF file to the store under a name."""
    try:
        if not is_regular(file):
            raise Failure(f"{file} is not a file; only GGUF files can be imported.")
        with file.open("rb") as opened:
            magic = opened.read(len(kept.MAGIC))
    except OSError as error:
        raise Failure(f"{file} cannot be read ({error.strerror}).") from None
    if magic != kept.MAGIC:
        raise Failure(f"{file} is not a GGUF file; only those can be imported.")
    known = _recognised(file)
    chosen = name or known or re.sub(r"[^a-z0-9._+-]+", "-", file.stem.lower()).strip("-.") or "model"
    if not kept.is_name(chosen):
        raise Usage(f"{chosen!r} is no name for a model; use letters, digits, dots, and hyphens.")
    if (chosen in CATALOGUE and chosen != known) or chosen in PACKAGED or chosen == AUTO:
        raise Usage(f"{chosen} is the name of another model than {file}; give it one of its own with --name.")
    target = kept.put(file, chosen)
    typer.echo(f"{chosen}: {target}")


def _recognised(file: Path) -> str | None:
    """Returns the name of the catalogue's model with the checksum of a file, or None."""
    size = file.stat().st_size
    candidates = [model for model in CATALOGUE.values() if model.sha256 and model.size == size]
    if not candidates:
        return None
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return next((model.name for model in candidates if model.sha256 == found), None)


@models.command()
def remove(name: Name) -> None:
    """Delete a model's file and the remains of an interrupted download."""
    try:
        size = kept.remove(name)
    except OSError as error:
        raise Failure(f"{name} cannot be deleted ({error.strerror}).") from None
    typer.echo(f"{name} is deleted: {gigabytes(size)} are free again.")
    below, _ = sources.below()
    for setting, value in (("model", below.get("model")), ("chatModel", below.get("chat_model"))):
        if value == name:
            try:
                sources.save(setting, AUTO)
            except sources.NotSaved as error:
                raise Failure(str(error)) from None
            typer.echo(f"{setting} is auto again.")
