"""Chat and edits in a terminal. The functions are those that an editor uses, with files in place of documents."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.text import Text

from codegemma_lsp.chat import (
    EDITS,
    Action,
    Answer,
    OnDelta,
    Proposal,
    Reference,
    RequestRefused,
    Target,
    parse_command,
    report,
    run_tests,
    without_failed,
)
from codegemma_lsp.cli import source_files, user_data
from codegemma_lsp.cli.common import is_quiet, remark, say
from codegemma_lsp.cli.markdown_stream import MarkdownStream
from codegemma_lsp.cli.source_files import BadPosition, NotWritten, UnreadableFile
from codegemma_lsp.document import Document, Span, file_path
from codegemma_lsp.engines.protocol import EngineError
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.session.engine_manager import Status
from codegemma_lsp.settings import Settings

log = logging.getLogger(__name__)

_RANGE = re.compile(r"(?P<path>.+?):(?P<first>\d+)(?:-(?P<last>\d+))?")
ERRORS = (RequestRefused, EngineError, BadPosition, UnreadableFile, NotWritten)
HELP = """\
Ask something, or

    /explain FILE:10-40          /fix FILE:10-40          /doc FILE:12
    /tests FILE:12               /edit FILE:10-40 WHAT    /commit

`#file:PATH` in a question adds a file. `/new` begins anew, `/quit` leaves; Ctrl+C stops an answer. Enter sends, and
Alt+Enter begins a new line.
"""
STDIN = "standard input"
"""The name under which the model sees the piped input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of a file, counted from 1, as a span of its document."""

    file: source_files.File
    span: Span
    path: str


class Terminal:
    """One conversation. ``settings`` names the chat model. ``#file:`` and git use ``folder``."""

    def __init__(self, settings: Settings, console: Console, folder: Path) -> None:
        self.console, self.folder = console, folder
        self._documents: dict[str, Document] = {}
        self.conversations = Conversations(lambda: settings, lambda: self._documents, self._loading)
        self.conversations.folders = (folder,)
        self._runner = asyncio.Runner()
        self._conversation = self.conversations.store.begin()
        self._noted = False

    def close(self) -> None:
        self._runner.run(self.conversations.shut_down())
        self._runner.close()

    def note(self, sentence: str) -> None:
        """Prints a sentence that is not part of an answer. If answers do not go to a terminal, it goes to stderr."""
        if not self.console.is_terminal:
            remark(sentence)
        elif not is_quiet():
            self.console.print(Text(sentence, "dim"), soft_wrap=True)

    def _loading(self, status: Status) -> None:
        log.info(status.message)
        if status.loading == 0 and self.console.is_terminal:
            self.note(f"{status.message} …")

    def edit(self, lines: str, instruction: str) -> Proposal:
        """Returns what an instruction, or a command such as ``/doc``, would change. Raises ``ERRORS``."""
        action, rest = parse_command(instruction)
        if action is not None and action not in EDITS:
            raise RequestRefused(f"/{action} changes nothing; ask it in codegemma-lsp chat.")
        target = self._target(lines).with_instruction(rest)
        return self._runner.run(self.conversations.propose(action or Action.EDIT, target, lambda _: None))

    def run_tests(self, proposal: Proposal) -> Proposal:
        """Runs proposed tests, says what became of them, and returns those that pass. Raises ``ERRORS``."""
        root = self.conversations.root_of(proposal.document)
        run = self._runner.run(run_tests(proposal, root))
        kept = without_failed(proposal, run)
        for sentence in report(run, kept):
            remark(sentence)
        if kept is None:
            raise RequestRefused("No new test passes, so none is proposed; ask again, or leave out --run.")
        return kept

    def apply(self, proposal: Proposal) -> Path:
        """Writes a proposal and returns its path. Raises ``NotWritten``."""
        path = file_path(proposal.document.uri)
        before = None if proposal.creates else self._raw(path, proposal.document)
        source_files.write(path, proposal.after, before)
        return path

    def _raw(self, path: Path, document: Document) -> bytes:
        try:
            known = source_files.read(path)
        except UnreadableFile as error:
            raise NotWritten(str(error)) from None
        if known.document.text != document.text:
            raise NotWritten(f"{path} has changed meanwhile, so it was left alone; do it again.")
        return known.raw

    def ask(self, message: str, given: str = "") -> Answer:
        """Sends one message, prints its answer as it is generated, and returns it. ``given`` is a text that the message
        is about. Raises ``ERRORS``."""
        action, rest = parse_command(message)
        target = None
        if action is not None and action is not Action.COMMIT:
            named, _, rest = rest.partition(" ")
            if not named:
                raise BadPosition(f"/{action} is about lines of a file; write /{action} FILE:10-40.")
            target = self._target(named)
            message = f"/{action} {rest.strip()}"
        references = [Reference(path=STDIN, text=given)] if given.strip() else []
        if not self._noted and (note := self.conversations.note()):
            self.note(note)
            self._noted = True
        try:
            with self._shown(action in EDITS) as on_delta:
                return self._runner.run(
                    self.conversations.chat(self._conversation, message, references, target, on_delta)
                )
        finally:
            self._save()

    def _save(self) -> None:
        """Saves the conversation for ``--continue``. Chat also works if it cannot be saved."""
        if self._conversation.messages:
            with suppress(OSError):
                user_data.save_conversation(self._conversation.messages)

    def go_on(self) -> None:
        """Continues the last conversation. Raises ``RequestRefused`` if there is none."""
        messages = user_data.load_conversation()
        if not messages:
            raise RequestRefused("There is no conversation to go on with; leave out --continue.")
        self._conversation.messages = messages

    def begin_anew(self) -> None:
        self._conversation = self.conversations.store.begin()

    @contextmanager
    def _shown(self, is_edit: bool) -> Iterator[OnDelta]:
        """Yields a callback that shows an answer: in a terminal as Markdown that grows, and otherwise as plain text. An
        edit is not shown, because its diff follows when it is complete."""
        if is_edit:
            yield lambda _: None
        elif self.console.is_terminal:
            with MarkdownStream(self.console) as stream:
                yield stream.write
        else:
            yield lambda more: self.console.out(more, end="", highlight=False)
            self.console.out("")

    def _target(self, named: str) -> Target:
        lines = parse_lines(named, self.folder)
        self._documents[lines.file.document.uri] = lines.file.document
        return Target(document=lines.file.document, selection=lines.span, path=lines.path)

    def print_diff(self, proposal: Proposal) -> None:
        diff = difference(proposal, self.folder)
        if self.console.is_terminal:
            self.console.print(Syntax(diff, "diff", background_color="default", word_wrap=True))
        else:
            self.console.out(diff, end="", highlight=False)

    def converse(self, read: Callable[[], str], confirm: Callable[[str], bool]) -> None:
        """Answers messages until ``read`` raises ``EOFError``. ``confirm`` asks before a file is written. Ctrl+C ends
        the current answer or drops the typed text, but does not end the conversation."""
        while True:
            try:
                message = read().strip()
            except EOFError:
                return
            except KeyboardInterrupt:
                self.note("(Ctrl+D leaves)")
                continue
            if message in ("/quit", "/exit"):
                return
            if message:
                self._turn(message, confirm)

    def _turn(self, message: str, confirm: Callable[[str], bool]) -> None:
        if message in ("/help", "/?"):
            self.console.print(Markdown(HELP))
        elif message == "/new":
            self.begin_anew()
        else:
            try:
                self.answer(message, confirm=confirm)
            except KeyboardInterrupt:
                self.note("(stopped)")
            except ERRORS as error:
                say(str(error))

    def answer(self, message: str, given: str = "", confirm: Callable[[str], bool] = lambda _: False) -> None:
        """Asks, prints the answer, and writes the changed file if ``confirm`` returns True. Raises ``ERRORS``."""
        answer = self.ask(message, given)
        if answer.proposal is not None:
            self.print_diff(answer.proposal)
            if confirm(f"Write {file_path(answer.proposal.document.uri).name}?"):
                self.apply(answer.proposal)
        elif answer.note or not answer.complete:
            self.note(f"({answer.note or 'cut off: raise chatMaxTokens for more'})")


def parse_lines(text: str, folder: Path) -> Lines:
    """Returns the lines of ``FILE:LINE`` or ``FILE:FIRST-LAST``, or all lines for the name of a file. Raises
    ``BadPosition`` and ``UnreadableFile``."""
    match = _RANGE.fullmatch(text)
    if match is None and Path(text).is_file():
        file = source_files.read(Path(text))
        return Lines(file=file, span=Span(0, len(file.document.text)), path=source_files.shown_path(file.path, folder))
    if match is None or not int(match["first"]):
        raise BadPosition(f"{text!r} names no file and no lines; write FILE, or FILE:10-40 with lines counted from 1.")
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if last < first:
        raise BadPosition(f"{text!r} ends before it begins; write the smaller line first.")
    file = source_files.read(Path(match["path"]))
    document = file.document
    if last > document.line_count:
        raise BadPosition(f"{match['path']} has {document.line_count} lines, so there is no line {last}.")
    span = Span(document.line_span(first - 1).start, document.line_span(last - 1).end)
    return Lines(file=file, span=span, path=source_files.shown_path(file.path, folder))


def difference(proposal: Proposal, folder: Path) -> str:
    """Returns a unified diff that ``git apply`` and ``patch -p1`` accept."""
    shown = source_files.shown_path(file_path(proposal.document.uri), folder)
    before, after = _lines(proposal.document.text), _lines(proposal.after)
    old = "/dev/null" if proposal.creates else f"a/{shown}"
    lines = list(unified_diff(before, after, old, f"b/{shown}"))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
