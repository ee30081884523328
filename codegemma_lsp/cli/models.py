"""``codegemma-lsp models``: what there is, what is here, and what is used."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from codegemma_lsp.cli.common import Failure, Usage, read_settings
from codegemma_lsp.models import AUTO, BUNDLED, CATALOGUE, CHAT_SLOTS, ModelError, chat_model, completion_model
from codegemma_lsp.models import store as kept
from codegemma_lsp.models.catalogue import Model, Purpose, did_you_mean
from codegemma_lsp.models.machine import this_machine
from codegemma_lsp.models.packaged import PACKAGED
from codegemma_lsp.settings import Settings, sources

models = typer.Typer(help="Which models there are, and which one is used.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A model's name, as codegemma-lsp models list shows it.")]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list; ``size`` and ``memory`` are in bytes, ``memory`` 0 where it is unknown."""

    name: str
    about: str
    purpose: str
    licence: str
    licence_page: str
    size: int
    size_is_exact: bool
    memory: int
    fits: bool
    here: bool
    in_use: str
    path: str


@models.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="The whole list, as one JSON array.")] = False,
) -> None:
    """Show the models there are, what each needs, and which are here."""
    rows = table_rows(read_settings(None, None))
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
        memory = f"{_gigabytes(row.memory)}{'' if row.fits else ' !'}" if row.memory else ""
        size = f"{'' if row.size_is_exact else '~'}{_gigabytes(row.size)}"
        mark = "*" if row.in_use else "+" if row.here else ""
        table.add_row(mark, row.name, size, memory, row.licence, purpose, style=None if row.fits else "dim")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "* in use, + here, ! too large for this machine's memory; ~ about.\nFetch one: codegemma-lsp models pull NAME;"
        " choose it: codegemma-lsp models use NAME",
        style="dim",
    )


def table_rows(settings: Settings) -> list[Row]:
    """The catalogue, and what is here besides it, at the context and slots of the settings."""
    found, used = kept.here(), _in_use(settings)
    rows = [_row(model, settings, model.name in found or model.name == BUNDLED, used) for model in CATALOGUE.values()]
    for name, path in found.items():
        if name not in CATALOGUE:
            size = path.stat().st_size
            rows.append(Row(name, "imported", "", "", "", size, True, 0, True, True, used.get(name, ""), str(path)))
    return rows


def _row(model: Model, settings: Settings, is_here: bool, used: dict[str, str]) -> Row:
    context, slots = settings.context_tokens, settings.slots
    if model.purpose is Purpose.CHAT:
        context, slots = settings.chat_context_tokens, CHAT_SLOTS
    memory = model.memory_bytes(context, slots)
    return Row(
        model.name,
        model.about,
        model.purpose.value,
        model.licence.name,
        model.licence.page,
        model.size,
        model.size_is_exact,
        memory,
        this_machine().fits(memory),
        is_here,
        used.get(model.name, ""),
        str(kept.model_path(model.name)) if is_here else "",
    )


def _in_use(settings: Settings) -> dict[str, str]:
    """For each model in use, what it is used for."""
    used: dict[str, list[str]] = {}
    name = settings.model
    try:
        name = completion_model(settings.model, settings.context_tokens, settings.slots).model
        used.setdefault(name, []).append("completes")
    except ModelError:
        pass
    try:
        chat = chat_model(settings.chat_model, settings.chat_context_tokens, CHAT_SLOTS, name).model
        used.setdefault(chat, []).append("chats")
    except ModelError:
        pass
    return {name: ", ".join(what) for name, what in used.items()}


@models.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, as codegemma-lsp models list shows.")],
) -> None:
    """Fetch models; one that was interrupted goes on."""
    from codegemma_lsp.models.download.part import Progress as Step
    from codegemma_lsp.models.download.pull import pull as fetch

    for name in names:
        if name not in CATALOGUE:
            raise Usage(f"There is no model {name} in the catalogue; {did_you_mean(name, list(CATALOGUE))}")
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    for name in names:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        if name != BUNDLED and not kept.stored_path(name).is_file():
            licence = CATALOGUE[name].licence
            console.print(f"{name}: {CATALOGUE[name].about}; licence: {licence.name}, {licence.page}", markup=False)
        with Progress(TextColumn("{task.description}", markup=False), *columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)

            def told(step: Step) -> None:
                bar.update(task, completed=step.done, total=step.total, description=f"{name} {step.doing}")  # noqa: B023

            path = fetch(name, told)
        typer.echo(f"{name}: {path}")


@models.command()
def use(
    name: Name,
    chat: Annotated[bool, typer.Option("--chat", help="Use it for chat and edits.")] = False,
) -> None:
    """Use a model from now on, in every editor that does not set another; auto: the best that is here."""
    setting, purpose = ("chatModel", "chat") if chat else ("model", "completion")
    model = CATALOGUE.get(name)
    if model is not None and not (model.chats if chat else model.completes):
        other = "leave out --chat" if chat else "use it with --chat"
        raise Usage(f"{name} is not made for {purpose}; {other}, or choose another model.")
    if name != AUTO:
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
    """Raises ``Usage`` for a name that nothing has, and ``ModelMissing`` for a model that is not here yet."""
    names = kept.known_names()
    if name not in names:
        raise Usage(f"There is no model {name}; {did_you_mean(name, names)}")
    kept.resolve(name)


@models.command()
def path(name: Name) -> None:
    """Print where a model's file is."""
    _must_be_here(name)
    typer.echo(kept.resolve(name))


@models.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A GGUF file.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call it; else what the file is called.")] = None,
) -> None:
    """Take a GGUF file into the store, so that it has a name."""
    try:
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
    """The model of the catalogue that a file is, by its checksum."""
    size = file.stat().st_size
    candidates = [model for model in CATALOGUE.values() if model.sha256 and model.size == size]
    if not candidates:
        return None
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    return next((model.name for model in candidates if model.sha256 == found), None)


@models.command()
def remove(name: Name) -> None:
    """Delete a model's file, and what an interrupted transfer has left."""
    try:
        size = kept.remove(name)
    except OSError as error:
        raise Failure(f"{name} cannot be deleted ({error.strerror}).") from None
    typer.echo(f"{name} is deleted: {_gigabytes(size)} are free again.")
    below, _ = sources.below()
    for setting, value in (("model", below.get("model")), ("chatModel", below.get("chat_model"))):
        if value == name:
            try:
                sources.save(setting, AUTO)
            except sources.NotSaved as error:
                raise Failure(str(error)) from None
            typer.echo(f"{setting} is auto again.")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
