"""``codegemma-lsp host`` runs, shows and ends the process that has the models of all windows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codegemma_lsp.cli.common import Failure, Usage, remark
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.door.address import DoorRefused, parse_listen
from codegemma_lsp.engines.host.messages import Status
from codegemma_lsp.engines.host.place import HostUnavailable, host_folder
from codegemma_lsp.extras import install_command
from codegemma_lsp.settings.sources import settings_from

if TYPE_CHECKING:
    from codegemma_lsp.engines.host.door.listening import Listener

host = typer.Typer(
    help="Run, show or end the process that loads each model once for all your windows (shareModel).",
    invoke_without_command=True,
)


@host.callback()
def host_command(
    context: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS:PORT", help="Also serve HTTP there, with OpenAI's interface."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate of the address, for HTTPS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key.")] = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Serve other machines without encryption.")
    ] = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    with _available():
        from codegemma_lsp.engines.host.process import run

        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        if listen is None:
            if tls_cert or tls_key or allow_plain_http:
                raise Usage("--tls-cert, --tls-key and --allow-plain-http belong to --listen.")
            run(_tell)
        http = _listener(listen, tls_cert, tls_key, allow_plain_http)
        ended, release = client.take_over()
        if ended is not None:
            remark(f"The host that ran, process {ended.pid}, is replaced; its windows connect to this one.")

        def tell() -> None:
            release()
            _tell(http)

        run(tell, http)


def _listener(listen: str, tls_cert: Path | None, tls_key: Path | None, allow_plain_http: bool) -> Listener:
    """Raises ``Failure``."""
    try:
        from codegemma_lsp.engines.host.door.listening import Listener, Options
    except ImportError as error:
        command = install_command("serve-http")
        raise Failure(f"The package {error.name} is missing; install it with: {command}") from None
    from codegemma_lsp.engines.host.process import idle_s

    try:
        options = Options(
            listen=parse_listen(listen), tls_cert=tls_cert, tls_key=tls_key, allow_plain_http=allow_plain_http
        )
        return Listener(options, host_folder(), lambda: settings_from({})[0], idle_s())
    except DoorRefused as error:
        raise Failure(str(error)) from None


def _tell(http: Listener | None = None) -> None:
    remark(f"The host listens in {host_folder()}; press Ctrl+C to end it.")
    if http is not None:
        remark(f"It serves HTTP at {http.url}; the key is in {http.key_path}")


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
