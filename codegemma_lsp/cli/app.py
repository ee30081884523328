"""Assembles the command line. An error is one sentence on stderr, with exit code 2 for wrong usage and 1 for a
failure."""

from __future__ import annotations

import errno
import logging
from typing import Annotated

import typer

from codegemma_lsp import __version__
from codegemma_lsp.cli.benchmarks import bench_command, evaluation
from codegemma_lsp.cli.chat import chat_command, edit_command
from codegemma_lsp.cli.common import Failure, Usage, be_quiet, leave, sentence
from codegemma_lsp.cli.complete import complete_command
from codegemma_lsp.cli.config import config
from codegemma_lsp.cli.doctor import doctor_command
from codegemma_lsp.cli.help import help_command
from codegemma_lsp.cli.host import host
from codegemma_lsp.cli.index import index
from codegemma_lsp.cli.model_fit import fit_command
from codegemma_lsp.cli.model_quantize import quantize_command
from codegemma_lsp.cli.models import models
from codegemma_lsp.cli.serve import serve_command
from codegemma_lsp.cli.stats import stats_command
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.models import ModelError
from codegemma_lsp.models.errors import PullInterrupted

app = typer.Typer(
    name="codegemma-lsp",
    help="Complete, explain and edit code with a local model, as a language server or on the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve_command)
app.command("complete")(complete_command)
app.command("chat")(chat_command)
app.command("edit")(edit_command)
app.command("doctor")(doctor_command)
app.command("stats")(stats_command)
app.command("bench")(bench_command)
app.add_typer(evaluation, name="eval")
models.command("fit")(fit_command)
models.command("quantize")(quantize_command)
app.add_typer(models, name="models")
app.add_typer(index, name="index")
app.add_typer(host, name="host")
app.add_typer(config, name="config")
app.command("help")(help_command)


def main() -> None:
    """Runs the command line and exits."""
    try:
        app()
    except Usage as error:
        leave(str(error), 2)
    except PullInterrupted as error:
        leave(str(error), 130)
    except (Failure, EngineError, ModelError) as error:
        leave(str(error), 1)
    except BrokenPipeError:
        leave("", 1)
    except OSError as error:
        is_full = error.errno == errno.ENOSPC
        leave("The output could not be written: the disk is full." if is_full else sentence(error), 1)
    except KeyboardInterrupt:
        leave("Interrupted.", 130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codegemma-lsp {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no remarks on stderr, only errors that end the command.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print what the command does on stderr.")] = False,
) -> None:
    if quiet and verbose:
        raise Usage("--quiet and --verbose contradict each other; name one of them.")
    if quiet:
        be_quiet()
    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
