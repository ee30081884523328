"""``codegemma-lsp chat`` answers questions, and ``codegemma-lsp edit`` rewrites lines of a file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codegemma_lsp.cli.common import ChatModel, Failure, Settings_, Usage, plain_console, read_settings
from codegemma_lsp.cli.source_files import BadPosition, UnreadableFile, standard_input

if TYPE_CHECKING:
    from codegemma_lsp.cli.terminal import Terminal


def chat_command(
    message: Annotated[
        str | None,
        typer.Argument(help="The message to send, together with what is piped in. Without it, a conversation begins."),
    ] = None,
    go_on: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")] = False,
    model: ChatModel = None,
    settings: Settings_ = None,
) -> None:
    """Chat with the model about code. Type /help in the chat for its commands."""
    from codegemma_lsp.cli.terminal import ERRORS, Terminal

    is_piped = sys.stdin is None or not sys.stdin.isatty()
    try:
        given = standard_input() if is_piped and sys.stdin is not None else ""
    except UnreadableFile as error:
        raise Failure(str(error)) from None
    if message is None and is_piped:
        message, given = given.strip(), ""
        if not message:
            raise Usage("There is no question; write one after the command, or pipe one in.")
    terminal = Terminal(read_settings(model, settings, chat=True), plain_console(), Path.cwd())
    try:
        if go_on:
            terminal.go_on()
        if message is None:
            _converse(terminal)
        else:
            terminal.answer(message, given)
    except ERRORS as error:
        raise Failure(str(error)) from None
    finally:
        terminal.close()


def _converse(terminal: Terminal) -> None:
    """Reads questions from the keyboard, with line editing if the answers go to a terminal."""
    if not terminal.console.is_terminal:
        terminal.converse(_line, lambda _: False)
        return
    from codegemma_lsp.cli.line_editor import LineEditor
    from codegemma_lsp.cli.user_data import history_path

    terminal.note("/help says what can be asked; Alt+Enter begins a new line, Ctrl+C stops an answer, Ctrl+D leaves.")
    terminal.converse(LineEditor(history_path()).read, _confirmed)


def _line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:  # Ctrl+C or Ctrl+D
        return False


def edit_command(
    lines: Annotated[
        str,
        typer.Argument(metavar="FILE[:FIRST-LAST]", help="The lines to rewrite, counted from 1, or the whole file."),
    ],
    instruction: Annotated[str, typer.Argument(help="What to change, or /fix, /doc or /tests.")],
    run: Annotated[
        bool, typer.Option("--run", help="With /tests: run the tests in a copy of the project, and keep what passes.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Also write the file.")] = False,
    model: ChatModel = None,
    settings: Settings_ = None,
) -> None:
    """Rewrite lines of a file with the chat model, and print the difference."""
    from codegemma_lsp.cli.terminal import ERRORS, Terminal

    if run and not re.match(r"\s*/tests\b", instruction):
        raise Usage("--run runs the tests that /tests writes; leave it out, or write /tests.")
    terminal = Terminal(read_settings(model, settings, chat=True), plain_console(), Path.cwd())
    try:
        proposal = terminal.edit(lines, instruction)
        proposal = terminal.run_tests(proposal) if run else proposal
        terminal.print_diff(proposal)
        if apply:
            terminal.apply(proposal)
    except BadPosition as error:
        raise Usage(str(error)) from None
    except ERRORS as error:
        raise Failure(str(error)) from None
    finally:
        terminal.close()
