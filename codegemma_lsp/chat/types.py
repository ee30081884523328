"""The values that chat takes and returns, and its one error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from codegemma_lsp.chat.diff import apply
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.settings import Settings

OnDelta: TypeAlias = Callable[[str], None]
"""Called on the event loop with each further piece of text, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContext:
    """What every answer needs: the chat model's engine, the settings in force, and a callback for the text as it is
    generated."""

    engine: Engine
    settings: Settings
    on_delta: OnDelta


class RequestRefused(Exception):
    """The request cannot be met. ``str()`` is one sentence that says why and what to do. ``stale`` means that the
    document changed."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


class Action(StrEnum):
    """The actions on a selection, by the names of their slash commands."""

    EXPLAIN = "explain"
    FIX = "fix"
    DOCUMENT = "doc"
    TESTS = "tests"
    EDIT = "edit"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an action is about.

    ``path`` is the file's path as the model sees it. ``diagnostics`` are the messages that overlap the selection.
    ``still`` returns whether the document is the same as when the action was asked for.
    """

    document: Document
    selection: Span
    path: str
    instruction: str = ""
    diagnostics: tuple[str, ...] = ()
    still: Callable[[], bool] = lambda: True

    def with_instruction(self, instruction: str) -> Target:
        return replace(self, instruction=instruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An edit that a user may accept.

    ``edits`` of ``document`` are disjoint and in ascending order. ``region`` is the span that was rewritten, and
    ``text`` is its replacement with the file's own line ends. ``imports`` is the one of the edits that adds imports
    outside the region, or None. ``creates`` means that the file is new.
    """

    document: Document
    region: Span
    text: str
    edits: tuple[Edit, ...]
    label: str
    imports: Edit | None = None
    creates: bool = False

    @property
    def after(self) -> str:
        """The document's text after the proposal is accepted."""
        return apply(self.document.text, self.edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Something that a question refers to: a piece of a file, its path, and the language for the fence around it."""

    path: str
    text: str
    language: str = ""
    first_line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a message.

    ``text`` is Markdown. ``complete`` is whether the model ended the answer by itself. ``proposal`` is set for actions
    that edit. ``note`` is a sentence for the user, such as why the answer was stopped.
    """

    text: str
    proposal: Proposal | None = None
    complete: bool = True
    note: str = ""
