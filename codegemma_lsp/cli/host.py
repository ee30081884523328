"""``codegemma-lsp host`` runs, shows and ends the process that has the models of all windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from codegemma_lsp.cli.common import Failure, remark
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.messages import Status
from codegemma_lsp.engines.host.place import HostUnavailable, host_folder

host = typer.Typer(
    help="Run, show or end the process that loads each model once for all your windows (shareModel).",
    invoke_without_command=True,
)


@host.callback()
def host_command(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    with _available():
        from codegemma_lsp.engines.host.process import run

        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        run(lambda: remark(f"The host listens in {host_folder()}; press Ctrl+C to end it."))


@host.command("status")
def status_command() -> None:
    """Show whether the host runs, which models it has loaded, and how many windows use it."""
    with _available():
        typer.echo(described(client.status()))


@host.command("stop")
def stop_command() -> None:
    """End the host. Windows that use it start another one."""
    with _available():
        ended = client.stop()
    typer.echo(described(None) if ended is None else f"The host, process {ended.pid}, has ended.")


def described(status: Status | None) -> str:
    """Returns a sentence about the host."""
    if status is None:
        return "No host runs; the first window whose model is shared (shareModel) starts it."
    models = ", ".join(f"{model.name} ({model.path}, used {model.users} times)" for model in status.models)
    windows = f"{status.windows} window{'' if status.windows == 1 else 's'} connected"
    return f"process {status.pid}, {windows}, {status.memory / 1e6:.0f} MB of memory, models: {models or 'none'}"


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except HostUnavailable as error:
        raise Failure(str(error)) from None
