"""``codegemma-lsp config`` shows, checks and edits the user's configuration file."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from codegemma_lsp.cli.common import Failure
from codegemma_lsp.settings import Settings, sources

config = typer.Typer(help="Show, check and edit the settings of this machine.", no_args_is_help=True)

SCHEMA = "config.schema.json"
_EMPTY = """\
# Settings of codegemma-lsp, for every editor: codegemma-lsp help settings lists them.
# maxTokens = 96
"""


def schema() -> dict[str, Any]:
    """Returns the JSON schema of the configuration file."""
    return Settings.model_json_schema(by_alias=True)


@config.command("path")
def print_path() -> None:
    """Print the path of the configuration file, which may not exist yet."""
    typer.echo(sources.config_path())


@config.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print the settings as one JSON object.")] = False,
) -> None:
    """Print the settings in force, and where each that is not a default was set."""
    settings, _, _ = sources.settings_from({})
    values = settings.model_dump(mode="json", by_alias=True)
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    for name, value in values.items():
        origin = sources.origin(name)
        typer.echo(f"{name} = {json.dumps(value, ensure_ascii=False)}{f'  # {origin}' if origin else ''}")


@config.command()
def check() -> None:
    """Check the configuration file and the environment variables. The exit code is 1 if something is wrong."""
    _, problems = sources.below()
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    path = sources.config_path()
    typer.echo(f"{path} is correct." if path.exists() else f"There is no {path}; the defaults are used.")


@config.command()
def edit() -> None:
    """Open the configuration file in the editor that VISUAL or EDITOR names, and check it afterwards."""
    path = sources.config_path()
    if not path.exists():
        _create(path)
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if sys.platform == "win32" else "vi")
    try:
        done = subprocess.run([*shlex.split(named), str(path)], check=False)
    except (OSError, ValueError):
        raise Failure(f"The editor {named} cannot be started; name another one in the variable EDITOR.") from None
    if done.returncode:
        raise Failure(f"The editor {named} failed with exit code {done.returncode}; nothing was checked.")
    check()


@config.command("schema")
def print_schema() -> None:
    """Print the JSON schema of the configuration file, for editors that check TOML against one."""
    typer.echo(json.dumps(schema(), ensure_ascii=False, indent=2))


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_EMPTY, "utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written ({error.strerror}); correct CODEGEMMA_CONFIG.") from None
