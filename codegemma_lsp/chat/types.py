"""What chat takes and gives: frozen values, and the one error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from codegemma_lsp.chat.diff import apply
from codegemma_lsp.document import Document, Edit, Span

OnDelta: TypeAlias = Callable[[str], None]
"""Called on the event loop with each further piece of text, in order."""


class RequestRefused(Exception):
    """Nothing is offered; ``str()`` is one sentence that says why, and what to do. ``stale``: the document changed."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


class Action(StrEnum):
    """What can be asked of a selection, by the names of the slash commands."""

    EXPLAIN = "explain"
    FIX = "fix"
    DOCUMENT = "doc"
    TESTS = "tests"
    EDIT = "edit"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is about. ``path`` is how the model sees the file; ``diagnostics`` are messages that overlap the
    selection; ``still`` says whether the document is yet the one that was asked about."""

    document: Document
    selection: Span
    path: str
    instruction: str = ""
    diagnostics: tuple[str, ...] = ()
    still: Callable[[], bool] = lambda: True

    def with_instruction(self, instruction: str) -> Target:
        return replace(self, instruction=instruction)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An edit that a user may accept: disjoint ``edits`` of ``document`` in ascending order. ``region`` is what was
    rewritten, ``text`` what would stand there instead, with the file's own line ends. ``creates``: the file is new."""

    document: Document
    region: Span
    text: str
    edits: tuple[Edit, ...]
    label: str
    creates: bool = False

    @property
    def after(self) -> str:
        """The document's text once it is accepted."""
        return apply(self.document.text, self.edits)


@dataclass(frozen=True, slots=True)
class Reference:
    """Something a question is about: a piece of a file under its path, and the language for the fence around it."""

    path: str
    text: str
    language: str = ""
    first_line: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` is Markdown, ``complete`` whether the model said that it was done; ``proposal`` comes with actions that
    edit."""

    text: str
    proposal: Proposal | None = None
    complete: bool = True
