"""The command line. Errors are one sentence on stderr: exit code 2 for wrong usage, 1 for failure."""

from __future__ import annotations

import errno
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from codegemma_lsp import __version__
from codegemma_lsp.benchmarks.infilling.reference import EMPTY, ORACLE
from codegemma_lsp.benchmarks.infilling.tasks import Split
from codegemma_lsp.benchmarks.typing.sessions import Rhythm
from codegemma_lsp.cli.common import ChatModel, Failure, Model, Settings_, Usage, leave, read_settings
from codegemma_lsp.cli.models import models
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.models import BUNDLED, ModelError
from codegemma_lsp.models.errors import PullInterrupted

app = typer.Typer(
    name="codegemma-lsp",
    help="Code completion by Google's CodeGemma, as a language server and on the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


evaluation = typer.Typer(help="Judge suggestions, by running them and by what was there.", no_args_is_help=True)
app.add_typer(evaluation, name="eval")
app.add_typer(models, name="models")

EVAL_SETTINGS = ("batchTokens=512",)
"""Nobody types, so a batch need not be short; no answer depends on it."""
RAW_SETTINGS = ("layout=psm", "heal=false", "maxTokens=128")
"""How papers ask: the setting of CodeGemma's own figures."""

NAMED = frozenset({ORACLE, EMPTY})
"""What eval knows besides models."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
        if error.errno != errno.ENOSPC:
            raise
        leave("The output could not be written: the disk is full.", 1)
    except KeyboardInterrupt:
        leave("Interrupted.", 130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codegemma-lsp {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def serve(
    log_level: Annotated[LogLevel, typer.Option(help="What is logged to stderr; debug includes source text.")] = (
        LogLevel.WARNING
    ),
) -> None:
    """Serve the Language Server Protocol over stdin and stdout."""
    from codegemma_lsp.server import serve as run

    run(log_level.value)


@app.command()
def complete(
    positions: Annotated[
        list[str],
        typer.Argument(metavar="FILE:LINE:COL...", help="1-based line and column, as editors show them."),
    ],
    model: Model = None,
    settings: Settings_ = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one for each position.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print the prompt, piece by piece, instead.")] = False,
) -> None:
    """Complete the code at a position in a file, and print the suggestion in place."""
    from codegemma_lsp.cli import complete
    from codegemma_lsp.cli.source_files import BadPlace, UnreadableFile

    try:
        places = [complete.parse_place(position) for position in positions]
        files = complete.read_files(places)
    except BadPlace as error:
        raise Usage(str(error)) from None
    except UnreadableFile as error:
        raise Failure(str(error)) from None
    chosen = read_settings(model, settings)
    console = Console(highlight=False)
    for result in complete.run(places, files, chosen, explain):
        if as_json:
            typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
        elif explain:
            complete.print_prompt(console, result)
        elif result.outcome is not None:
            complete.print_in_place(console, result.place, result.document, result.offset, result.outcome)


@app.command()
def chat(
    message: Annotated[str | None, typer.Argument(help="Ask this and leave; without it, a conversation.")] = None,
    model: ChatModel = None,
    settings: Settings_ = None,
) -> None:
    """Talk with the chat model about code; /help says how."""
    from codegemma_lsp.cli.chat import Terminal

    terminal = Terminal(read_settings(model, settings, chat=True), Console(highlight=False), Path.cwd())
    at_screen = sys.stdin.isatty() and terminal.console.is_terminal
    try:
        if message is not None:
            messages = iter([message])
            well = terminal.converse(lambda: next(messages, "/quit"), lambda _: False)
        elif at_screen:
            terminal.console.print("/help says what can be asked; Ctrl+D leaves.", style="dim")
            well = terminal.converse(lambda: terminal.console.input("[bold]> [/]"), lambda q: typer.confirm(q))
        else:
            well = terminal.converse(lambda: sys.stdin.readline() or "/quit", lambda _: False)
    finally:
        terminal.close()
    if not well and not at_screen:
        raise typer.Exit(1)


@app.command()
def edit(
    place: Annotated[str, typer.Argument(metavar="FILE:FIRST-LAST", help="Lines counted from 1.")],
    instruction: Annotated[str, typer.Argument(help="What to change; or /fix, /doc, /tests.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write the file, too.")] = False,
    model: ChatModel = None,
    settings: Settings_ = None,
) -> None:
    """Have the chat model rewrite lines of a file, and print the difference."""
    from codegemma_lsp.cli.chat import ERRORS, Terminal
    from codegemma_lsp.cli.source_files import BadPlace

    terminal = Terminal(read_settings(model, settings, chat=True), Console(highlight=False), Path.cwd())
    try:
        proposal = terminal.edit(place, instruction)
        terminal.print_diff(proposal)
        if apply:
            terminal.apply(proposal)
    except BadPlace as error:
        raise Usage(str(error)) from None
    except ERRORS as error:
        raise Failure(str(error)) from None
    finally:
        terminal.close()


@app.command()
def doctor(model: Model = None, settings: Settings_ = None) -> None:
    """Check that everything needed is there and works; says what to do where it does not."""
    from codegemma_lsp.cli.doctor import checks

    console = Console(highlight=False, soft_wrap=True)
    failed = 0
    for check in checks(read_settings(model, settings)):
        mark = "[green]ok[/]  " if check.ok else "[red]fails[/]"
        console.print(f"{mark} [bold]{check.name}[/]: ", end="")
        console.print(check.detail, markup=False)
        failed += not check.ok
    if failed:
        raise Failure(f"{failed} of the checks failed; see above what to do.")


@evaluation.command()
def infilling(
    split: Annotated[Split | None, typer.Option(help="Of HumanEval-Infilling; single-line if none is named.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Tasks cut from these sources instead.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The model's output as it comes, as papers report it.")] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A name, a path, oracle or empty; nano if none is given; may be repeated."),
    ] = None,
    layouts: Annotated[bool, typer.Option("--layouts", help="Every layout, with and without token healing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many tasks of a split, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option(help="For drawing tasks and spans.")] = 0,
    settings: Settings_ = None,
    results: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where each task's result goes.")] = None,
    summary: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the summaries.")] = None,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw the summaries.")] = None,
    sure: Annotated[
        Path | None,
        typer.Option("--confidence", metavar="FILE", help="Draw right and wrong by how sure the model was."),
    ] = None,
) -> None:
    """Fill in what is missing, and judge it by running the tests that go with it."""
    try:
        from codegemma_lsp.benchmarks.infilling import command
    except ImportError as error:
        raise Failure(f"The package {error.name} is missing; pip install 'codegemma-lsp[eval]' brings it.") from None
    if split is not None and folder is not None:
        raise Usage("--split is of HumanEval-Infilling and --from of your own sources; name one of them.")
    pairs = [*EVAL_SETTINGS, *(RAW_SETTINGS if raw else ()), *(settings or ())]
    try:
        chosen = [read_settings(name, pairs, NAMED, alone=True) for name in model or [BUNDLED]]
        of = split or Split.SINGLE_LINE
        asked = command.Asked(chosen, of, folder, raw, layouts, limit, seed, results, summary, picture, sure)
        command.evaluate(asked)
    except command.ERRORS as error:
        raise Failure(str(error)) from None


@app.command()
def bench(
    model: Model = None,
    rhythm: Annotated[
        list[Rhythm] | None, typer.Option(help="A person's, or as fast as answers come; both if none is named.")
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, max=3, help="How many sessions are played.")] = 3,
    keys: Annotated[int | None, typer.Option(min=2, help="At most so many keys of each session.")] = None,
    seed: Annotated[int, typer.Option(help="For the rhythm.")] = 0,
    peer: Annotated[bool, typer.Option(help="Beside llama-server.")] = True,
    mechanics: Annotated[bool, typer.Option(help="Also with each mechanism switched off.")] = True,
    lengths: Annotated[bool, typer.Option(help="Also in files of 100 to 50 000 lines.")] = True,
    chats: Annotated[bool, typer.Option(help="Also beside a chat, and edits with and without drafts.")] = True,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="Only how fast tokens are read and written, beside llama-server.")
    ] = False,
    settings: Settings_ = None,
    summary: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures.")] = None,
    picture: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw them.")] = None,
) -> None:
    """Replay typing sessions through the server and through llama-server, and compare what a key costs."""
    try:
        from codegemma_lsp.benchmarks.typing import command
    except ImportError as error:
        raise Failure(f"The package {error.name} is missing; pip install 'codegemma-lsp[bench]' brings it.") from None
    chosen = read_settings(model or BUNDLED, settings, alone=True)
    if chosen.model != BUNDLED:
        chosen = select_completion(chosen).settings
    asked = command.Asked(
        chosen,
        rhythm or list(Rhythm),
        sessions,
        keys,
        seed,
        peer,
        mechanics,
        lengths,
        chats,
        throughput,
        summary,
        picture,
    )
    try:
        command.bench(asked)
    except command.ERRORS as error:
        raise Failure(str(error)) from None
