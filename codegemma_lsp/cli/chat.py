"""Chat and edits in a terminal: the same functions as in an editor, with files in the place of documents."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.text import Text

from codegemma_lsp.chat import EDITS, Action, Answer, OnDelta, Proposal, RequestRefused, Target, parse_command
from codegemma_lsp.cli import source_files
from codegemma_lsp.cli.source_files import BadPlace, NotWritten, UnreadableFile
from codegemma_lsp.document import Document, Span, file_path
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.session.engine_manager import Status
from codegemma_lsp.settings import Settings

_RANGE = re.compile(r"(?P<path>.+?):(?P<first>\d+)(?:-(?P<last>\d+))?")
ERRORS = (RequestRefused, EngineError, BadPlace, UnreadableFile, NotWritten)
HELP = """\
Ask something, or

    /explain FILE:10-40          /fix FILE:10-40          /doc FILE:12
    /tests FILE:12               /edit FILE:10-40 WHAT    /commit

`#file:PATH` in a question adds a file. `/new` begins anew, `/quit` leaves; Ctrl+C stops an answer.
"""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a file, counted from 1."""

    file: source_files.File
    span: Span
    path: str


class Terminal:
    """One conversation. ``settings`` name the chat model; ``folder`` is what ``#file:`` and git look at."""

    def __init__(self, settings: Settings, console: Console, folder: Path) -> None:
        self.console, self.folder = console, folder
        self._documents: dict[str, Document] = {}
        self.conversations = Conversations(lambda: settings, lambda: self._documents, self._loading)
        self.conversations.folders = (folder,)
        self._runner = asyncio.Runner()
        self._conversation = self.conversations.store.find(None)
        self._noted = False

    def close(self) -> None:
        self._runner.run(self.conversations.shut_down())
        self._runner.close()

    def _loading(self, status: Status) -> None:
        if status.loading == 0 and self.console.is_terminal:
            self.console.print(Text(f"{status.message} …", "dim"))

    def edit(self, place: str, instruction: str) -> Proposal:
        """What an instruction, or a command such as ``/doc``, would change. Raises ``ERRORS``."""
        action, rest = parse_command(instruction)
        if action is not None and action not in EDITS:
            raise RequestRefused(f"/{action} changes nothing; ask it in codegemma-lsp chat.")
        target = self._target(place).with_instruction(rest)
        return self._runner.run(self.conversations.propose(action or Action.EDIT, target, lambda _: None))

    def apply(self, proposal: Proposal) -> Path:
        """Writes what was proposed. Raises ``NotWritten``."""
        path = file_path(proposal.document.uri)
        before = None if proposal.creates else self._raw(path, proposal.document)
        source_files.write(path, proposal.after, before)
        return path

    def _raw(self, path: Path, document: Document) -> bytes:
        try:
            known = source_files.read(path)
        except (BadPlace, UnreadableFile) as error:
            raise NotWritten(str(error)) from None
        if known.document.text != document.text:
            raise NotWritten(f"{path} has changed meanwhile, so it was left alone; do it again.")
        return known.raw

    def ask(self, message: str) -> Answer:
        """One message and its answer, which is printed as it comes. Raises ``ERRORS``."""
        action, rest = parse_command(message)
        target = None
        if action is not None and action is not Action.COMMIT:
            place, _, rest = rest.partition(" ")
            target = self._target(place)
            message = f"/{action} {rest.strip()}"
        if not self._noted and (note := self.conversations.note()):
            self.console.print(Text(note, "dim"), soft_wrap=True)
            self._noted = True
        with self._shown(action in EDITS) as on_delta:
            return self._runner.run(self.conversations.chat(self._conversation, message, [], target, on_delta))

    def begin_anew(self) -> None:
        self._conversation = self.conversations.store.find(None)

    @contextmanager
    def _shown(self, is_edit: bool) -> Iterator[OnDelta]:
        """Where an answer appears: as Markdown that grows in a terminal, else as it comes. Edits appear as a diff once
        they are whole."""
        if is_edit:
            yield lambda _: None
        elif self.console.is_terminal:
            text: list[str] = []
            with Live(console=self.console, refresh_per_second=12, vertical_overflow="visible") as live:

                def on_delta(more: str) -> None:
                    text.append(more)
                    live.update(Markdown("".join(text)))

                yield on_delta
        else:
            yield lambda more: self.console.out(more, end="", highlight=False)
            self.console.out("")

    def _target(self, place: str) -> Target:
        lines = parse_lines(place, self.folder)
        self._documents[lines.file.document.uri] = lines.file.document
        return Target(lines.file.document, lines.span, lines.path)

    def print_diff(self, proposal: Proposal) -> None:
        diff = difference(proposal, self.folder)
        if self.console.is_terminal:
            self.console.print(Syntax(diff, "diff", background_color="default", word_wrap=True))
        else:
            self.console.out(diff, end="", highlight=False)

    def converse(self, read: Callable[[], str], confirm: Callable[[str], bool]) -> bool:
        """Messages until there are no more; whether all were answered. ``confirm`` asks before a file is written."""
        well = True
        while True:
            try:
                message = read().strip()
            except (EOFError, KeyboardInterrupt):
                return well
            if message in ("/quit", "/exit"):
                return well
            if not message:
                continue
            well = self._turn(message, confirm) and well

    def _turn(self, message: str, confirm: Callable[[str], bool]) -> bool:
        if message in ("/help", "/?"):
            self.console.print(Markdown(HELP))
        elif message == "/new":
            self.begin_anew()
        else:
            try:
                answer = self.ask(message)
                if answer.proposal is not None:
                    self.print_diff(answer.proposal)
                    if confirm(f"Write {file_path(answer.proposal.document.uri).name}?"):
                        self.apply(answer.proposal)
                elif not answer.complete:
                    self.console.print(Text("(cut off: raise chatMaxTokens for more)", "dim"))
            except KeyboardInterrupt:
                self.console.print(Text("(stopped)", "dim"))
            except ERRORS as error:
                Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"codegemma-lsp: {error}")
                return False
        return True


def parse_lines(text: str, folder: Path) -> Lines:
    """``FILE:LINE`` or ``FILE:FIRST-LAST``. Raises ``BadPlace`` and ``UnreadableFile``."""
    match = _RANGE.fullmatch(text)
    if match is None or not int(match["first"]):
        raise BadPlace(f"{text!r} names no lines; write FILE:10-40 with lines counted from 1.")
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if last < first:
        raise BadPlace(f"{text!r} ends before it begins; write the smaller line first.")
    file = source_files.read(Path(match["path"]))
    document = file.document
    if last > document.line_count:
        raise BadPlace(f"{match['path']} has {document.line_count} lines, so there is no line {last}.")
    span = Span(document.line_span(first - 1).start, document.line_span(last - 1).end)
    return Lines(file, span, source_files.shown_path(file.path, folder))


def difference(proposal: Proposal, folder: Path) -> str:
    """A unified diff that ``git apply`` and ``patch -p1`` take."""
    shown = source_files.shown_path(file_path(proposal.document.uri), folder)
    before, after = _lines(proposal.document.text), _lines(proposal.after)
    old = "/dev/null" if proposal.creates else f"a/{shown}"
    lines = list(unified_diff(before, after, old, f"b/{shown}"))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
