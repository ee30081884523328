"""``codegemma-lsp complete`` prints suggestions for positions in files."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from codegemma_lsp import engines
from codegemma_lsp.cli import completion_json
from codegemma_lsp.cli.common import Model, Settings_, Usage, plain_console, read_settings, say
from codegemma_lsp.cli.completion_json import JsonResult, JsonTokens
from codegemma_lsp.cli.index import similar_in
from codegemma_lsp.cli.source_files import BadPosition, UnreadableFile, read, shown_path, standard_input
from codegemma_lsp.completion import (
    DocumentState,
    Explanation,
    Moment,
    Origin,
    Outcome,
    Query,
    complete,
    cursor_in_file,
    plan_completion,
    silence,
)
from codegemma_lsp.completion import explain as explained
from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.context import DiskFiles, Selection, Workspace, pieces_in_folder
from codegemma_lsp.document import Document, Encoding, Position, file_path
from codegemma_lsp.engines.protocol import Engine, EngineError
from codegemma_lsp.engines.selection import select_completion
from codegemma_lsp.prompt import BudgetTooSmall
from codegemma_lsp.session.completions import why_off
from codegemma_lsp.settings import OtherFilesFrom, Settings
from codegemma_lsp.settings.adapters import with_adapter
from codegemma_lsp.syntax import LANGUAGES, find_language, language_name

log = logging.getLogger(__name__)

_POSITION = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+)")
_AT = re.compile(r"(?P<line>\d+):(?P<column>\d+)")
_CONTEXT_LINES = 4
_STDIN = "-"
_UNTITLED = "untitled"
"""The name under which the model sees a text that has none."""
_NOTHING_SUGGESTED = 3
"""The exit code with ``--exit-code`` if a position gets no suggestion."""


PathOption = Annotated[
    str | None, typer.Option("--path", metavar="NAME", help="With -: name of the file that the text belongs to.")
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="LINE:COL", help="With -: where to complete; the default is the text's end."),
]
LanguageOption = Annotated[
    str | None,
    typer.Option("--language", metavar="NAME", help="With -: the text's language; the default is that of --path."),
]


def complete_command(
    positions: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE:LINE:COL...",
            help="Line and column, counted from 1 as in editors; or -, which completes the text on standard input.",
        ),
    ],
    path: PathOption = None,
    at: AtOption = None,
    language: LanguageOption = None,
    model: Model = None,
    settings: Settings_ = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, one for each position.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the prompt, piece by piece, instead of the suggestion.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 if nothing is suggested at one of the positions.")
    ] = False,
) -> None:
    """Complete the code at a position in a file, and print the suggestion in place."""
    chosen = read_settings(model, settings)
    if _STDIN in positions:
        tasks: list[Task | NotRead] = [_from_stdin(positions, path, at, language)]
    elif path is not None or at is not None or language is not None:
        raise Usage("--path, --at and --language are about standard input; write - in the place of FILE:LINE:COL.")
    else:
        tasks = read_tasks([parse_position(position) for position in positions])
    nothing, failed = False, 0
    console = plain_console()
    for result in run(tasks, chosen, explain):
        if isinstance(result, NotRead):
            say(str(result.error))
            failed = 1 if isinstance(result.error, UnreadableFile) else failed or 2
        else:
            nothing = nothing or result.suggests_nothing
        if as_json:
            typer.echo(result.as_json().model_dump_json(by_alias=True))
        elif isinstance(result, Result):
            result.print_to(console)
    if failed or (exit_code and nothing):
        raise typer.Exit(failed or _NOTHING_SUGGESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePosition:
    """A line and a column, both counted from 1. The column counts code points."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A position that exists in the document. ``shown`` is the path as the model sees it."""

    position: FilePosition
    document: Document
    shown: str

    @property
    def offset(self) -> int:
        return self.document.offset(Position(self.position.line - 1, self.position.column - 1), Encoding.UTF32)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRead:
    """A position that cannot be completed, because the file or the position does not exist."""

    position: FilePosition
    error: BadPosition | UnreadableFile

    def as_json(self) -> JsonResult:
        position = self.position
        return JsonResult(path=position.path, line=position.line, column=position.column, error=str(self.error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A task with its outcome, or with its prompt if that was asked for."""

    task: Task
    outcome: Outcome | None = None
    explained: Explanation | None = None

    @property
    def suggests_nothing(self) -> bool:
        return self.outcome is not None and self.outcome.suggestion is None

    def as_json(self) -> JsonResult:
        position, outcome = self.task.position, self.outcome
        found = JsonResult(path=position.path, line=position.line, column=position.column)
        if outcome is not None:
            return found.model_copy(
                update={
                    "items": completion_json.items(self.task.document, outcome),
                    "reason": outcome.reason if outcome.suggestion is None else None,
                    "tokens": completion_json.tokens(outcome),
                    "ms": {stage: round(time, 3) for stage, time in outcome.ms.items()},
                }
            )
        assert self.explained is not None
        prompt = completion_json.prompt(self.explained)
        return found.model_copy(update={"prompt": prompt, "tokens": JsonTokens(prompt=prompt.tokens)})

    def print_to(self, console: Console) -> None:
        if self.outcome is not None:
            print_in_place(console, self.task, self.outcome)
        elif self.explained is not None:
            print_prompt(console, self.task.position, self.explained)


def parse_position(text: str) -> FilePosition:
    """Returns the position that ``FILE:LINE:COL`` names. Raises ``Usage``."""
    match = _POSITION.fullmatch(text)
    if match is None or not int(match["line"]) or not int(match["column"]):
        raise Usage(f"{text!r} is not a position; write FILE:LINE:COL with line and column counted from 1.")
    return FilePosition(path=match["path"], line=int(match["line"]), column=int(match["column"]))


def read_tasks(positions: Sequence[FilePosition]) -> list[Task | NotRead]:
    """Returns each position with its document, or with the reason why it has none. A file is read once."""
    read_already: dict[str, Document | UnreadableFile] = {}
    tasks: list[Task | NotRead] = []
    for position in positions:
        if position.path not in read_already:
            read_already[position.path] = _document(position.path)
        shown = shown_path(Path(position.path), Path.cwd())
        tasks.append(_task(position, read_already[position.path], shown))
    return tasks


def _document(path: str) -> Document | UnreadableFile:
    try:
        return read(Path(path)).document
    except UnreadableFile as error:
        return error


def _task(position: FilePosition, document: Document | UnreadableFile, shown: str) -> Task | NotRead:
    if isinstance(document, UnreadableFile):
        return NotRead(position=position, error=document)
    try:
        check_position(position, document)
    except BadPosition as error:
        return NotRead(position=position, error=error)
    return Task(position=position, document=document, shown=shown)


def check_position(position: FilePosition, document: Document) -> None:
    """Raises ``BadPosition`` if the position does not exist in the document."""
    if position.line > document.line_count:
        lines = f"{document.line_count} line{'s' if document.line_count != 1 else ''}"
        raise BadPosition(f"{position.path} has {lines}, so there is no line {position.line}.")
    width = len(document.line_span(position.line - 1))
    if position.column > width + 1:
        raise BadPosition(
            f"Line {position.line} of {position.path} ends at column {width + 1}, so there is no column"
            f" {position.column}."
        )


def _from_stdin(positions: Sequence[str], path: str | None, at: str | None, language: str | None) -> Task | NotRead:
    """Returns a task for the text on standard input. Raises ``Usage``."""
    if len(positions) > 1:
        raise Usage("Standard input is one text; give - alone, and the place to complete with --at LINE:COL.")
    if language is not None and find_language(language) is None:
        known = ", ".join(sorted(known.name for known in LANGUAGES))
        raise Usage(f"There is no language {language}; choose one of {known}, or leave --language out.")
    match = _AT.fullmatch(at) if at is not None else None
    if at is not None and (match is None or not int(match["line"]) or not int(match["column"])):
        raise Usage(f"{at!r} is not a position; write --at LINE:COL with line and column counted from 1.")
    name = Path(path or _UNTITLED)
    spoken = language_name(language or "", path or "") or "plaintext"
    named = path or _STDIN
    try:
        document = Document(uri=name.absolute().as_uri(), text=standard_input(), language=spoken)
    except UnreadableFile as error:
        return NotRead(position=FilePosition(path=named, line=1, column=1), error=error)
    if match is not None:
        position = FilePosition(path=named, line=int(match["line"]), column=int(match["column"]))
    else:
        end = document.position(len(document.text), Encoding.UTF32)
        position = FilePosition(path=named, line=end.line + 1, column=end.character + 1)
    return _task(position, document, shown_path(name, Path.cwd()))


def run(tasks: Sequence[Task | NotRead], settings: Settings, explain: bool) -> Iterator[Result | NotRead]:
    """Yields one result for each task, in order. The model is loaded on first use. Raises what ``select_completion``
    and ``engines.load`` raise."""
    engine: Engine | None = None
    states: dict[str, DocumentState] = {}
    try:
        for task in tasks:
            if isinstance(task, NotRead):
                yield task
                continue
            query = Query(document=task.document, offset=task.offset, path=task.shown, explicit=True)
            if not explain and (reason := why_off(query, settings)):
                yield Result(task=task, outcome=Outcome(suggestion=None, origin=Origin.NONE, reason=reason))
                continue
            engine = engine or _loaded(with_adapter(settings, [file_path(task.document.uri)]))
            state = states.setdefault(task.document.uri, DocumentState())
            found = _other_files(query, engine, settings)
            query = replace(query, other_files=found.other_files, repository=Path.cwd().name)
            if explain:
                plan, state.planning = plan_completion(query, state.planning, engine, settings)
                yield Result(task=task, explained=explained(plan, engine, found, _quiet(query)))
            else:
                yield Result(task=task, outcome=asyncio.run(complete(query, state, engine, settings)))
    except BudgetTooSmall as error:
        raise EngineError(str(error)) from error
    finally:
        if engine is not None:
            engine.close()


def _quiet(query: Query) -> str:
    """Returns why an editor that asks by itself is shown nothing at a position, or ""."""
    cursor = cursor_text(query)
    why = silence(Moment(text=cursor.text, offset=cursor.offset, language=query.document.language))
    return why.value if why is not None else ""


def _other_files(query: Query, engine: Engine, settings: Settings) -> Selection:
    """Returns the pieces of other files that help at a position, if its file is below the working folder."""
    root, file = Path.cwd(), file_path(query.document.uri)
    if settings.other_files is OtherFilesFrom.NOWHERE or not file.is_relative_to(root):
        return Selection()
    cursor = cursor_in_file(query, file.relative_to(root).as_posix())
    has_packages = settings.other_files is OtherFilesFrom.ALL
    files = DiskFiles(
        root=root,
        workspace=Workspace((root,), lambda _: None),
        packages=has_packages,
        excluded=settings.other_files_exclude,
    )
    return pieces_in_folder(files, cursor, settings.other_files_tokens, engine.tokenizer, more=similar_in(root))


def _loaded(settings: Settings) -> Engine:
    selection = select_completion(settings)
    log.info("loading %s, from %s", selection.choice.sentence, selection.settings.model)
    return engines.load(selection.settings)


def print_in_place(console: Console, task: Task, outcome: Outcome) -> None:
    """Prints the lines around the cursor with the suggestion in dim italics, or between ⟦ ⟧ if there is no colour."""
    document, position, offset = task.document, task.position, task.offset
    first = max(0, position.line - 1 - _CONTEXT_LINES)
    last = min(document.line_count - 1, position.line - 1 + _CONTEXT_LINES)
    start, end = int(document.starts[first]), document.line_span(last).end
    console.print(Styled(str(position), "bold"))
    body = Styled(document.text[start:offset])
    after = offset
    if outcome.suggestion is not None:
        colour = console.color_system is not None
        ghost = outcome.suggestion.text if colour else f"⟦{outcome.suggestion.text}⟧"
        body.append(ghost, "italic bright_black" if console.color_system != "standard" else "italic cyan")
        after = outcome.suggestion.span.end
    body.append(document.text[after:end])
    for line in body.split("\n", allow_blank=True):
        console.print(Styled.assemble(("  │ ", "dim"), line), soft_wrap=True)
    console.print(Styled(f"  {_summary(outcome)}\n", "dim"), soft_wrap=True)


def _summary(outcome: Outcome) -> str:
    usage = outcome.usage
    counts = (
        f"{usage.prompt_tokens} prompt tokens ({usage.cached_tokens} cached),"
        f" {usage.completion_tokens} completion tokens"
    )
    said = "" if outcome.suggestion is not None else f"no suggestion: {outcome.reason}; "
    return f"{said}{outcome.ms.get('total', 0):.1f} ms, {counts}"


def print_prompt(console: Console, position: FilePosition, explained: Explanation) -> None:
    """Prints the prompt as it would be sent, each segment with its token count and its reason, and the pieces of other
    files that were found for it."""
    table = Table(title=Styled(str(position)), show_lines=True)
    table.add_column("tokens", justify="right")
    table.add_column("why")
    table.add_column("text", overflow="fold")
    for segment in explained.segments:
        style = "magenta" if segment.is_special else ""
        table.add_row(str(segment.tokens), segment.why, Styled(segment.text, style))
    if explained.forced_prefix:
        table.add_row("0", "forced prefix (token healing)", Styled(repr(explained.forced_prefix)))
    console.print(table)
    if explained.pieces:
        _print_pieces(console, explained)
    if explained.quiet:
        console.print(f"nothing is shown here while you type, because {explained.quiet}")
    console.print(f"{explained.tokens} tokens; the model stops at any special token")
    console.print(f"infill format: {explained.family} ({explained.title})")


def _print_pieces(console: Console, explained: Explanation) -> None:
    table = Table(title="Pieces of other files", show_lines=True)
    table.add_column("tokens", justify="right")
    for name in ("file", "source", "why", "left out because"):
        table.add_column(name, overflow="fold")
    for piece in explained.pieces:
        table.add_row(str(piece.tokens), Styled(piece.path), piece.source, Styled(piece.why), piece.left_out)
    console.print(table)
