"""``codegemma-lsp serve`` runs the language server."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from codegemma_lsp.cli.common import plain_console
from codegemma_lsp.settings.guarded import TRUST_VARIABLE


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


AT_A_TERMINAL = (
    "This is a language server: an editor starts it and speaks to it over stdin and stdout. Press Ctrl+C to leave."
    " codegemma-lsp complete and codegemma-lsp chat are for terminals."
)


def serve_command(
    log_level: Annotated[LogLevel, typer.Option(help="Level of the log on stderr. debug includes source text.")] = (
        LogLevel.WARNING
    ),
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Has no effect; some editors pass it to every language server.")
    ] = False,
    trust_settings: Annotated[
        bool,
        typer.Option(
            "--trust-settings",
            envvar=TRUST_VARIABLE,
            help="Take models, adapters and settings of the network from the editor too, which must take none from"
            " workspaces.",
        ),
    ] = False,
) -> None:
    """Serve the Language Server Protocol over stdin and stdout."""
    from codegemma_lsp.server import serve as run

    if sys.stdin.isatty():
        plain_console(stderr=True, soft_wrap=True).print(AT_A_TERMINAL)
    run(log_level.value, trusts_client=trust_settings)
