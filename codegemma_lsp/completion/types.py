"""The values that completion takes and gives. Offsets are code points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.protocol import Progress, Request, Usage
from codegemma_lsp.prompt import OtherFile, Prompt, PromptWindow
from codegemma_lsp.syntax import CursorScope, Excerpt, Syntax


@dataclass(frozen=True, slots=True)
class Selected:
    """The entry selected in the editor's completion list: accepting it would replace ``span`` by ``text``."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to complete. ``explicit``: the user asked, so that doubt is no reason to show nothing. ``other_files``:
    pieces of other files that the model may see, ``repository`` the name of what they belong to."""

    document: Document
    offset: int
    path: str
    explicit: bool = False
    selected: Selected | None = None
    other_files: tuple[OtherFile, ...] = ()
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Replaces ``span``, which holds the cursor and stays on its line, by ``text``."""

    id: str
    span: Span
    text: str


class Origin(StrEnum):
    """Where an outcome comes from."""

    MODEL = "model"
    REUSE = "reuse"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``reason`` says why there is no suggestion. Milliseconds by stage; ``own`` is all that is not the model's. Where
    the model was asked twice, ``usage`` sums both, except for ``prompt_tokens`` and ``cached_tokens``, which are the
    last one's. ``said`` is what the model wrote, before postprocessing."""

    suggestion: Suggestion | None
    origin: Origin
    usage: Usage = field(default_factory=Usage)
    ms: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    mean_logprob: float = 0.0
    said: str = ""
    others: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class CachedSuggestion:
    """``insert`` was offered at ``offset`` of ``text``, over ``overwrites`` characters after
    it; empty where there was nothing."""

    text: str
    offset: int
    insert: str
    overwrites: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A prompt and what is needed to judge its answer: ``syntax`` is that of an excerpt of the LF-only text with the
    selected entry in place, ``offset`` the cursor in the excerpt, ``scope`` the cursor's; ``specials`` spell the
    model's special tokens."""

    prompt: Prompt
    syntax: Syntax
    offset: int
    scope: CursorScope
    specials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request made at ``offset`` of ``text``; ``progress``, which is the request's, tells how far it has come."""

    text: str
    offset: int
    plan: Plan
    request: Request
    progress: Progress


@dataclass(frozen=True, slots=True)
class Planning:
    """What one plan leaves to the next one for the same document: trees to parse from, and the prompt's window."""

    excerpt: Excerpt | None = None
    syntax: Syntax | None = None
    head: Syntax | None = None
    window: PromptWindow | None = None


@dataclass
class DocumentState:
    """What is kept of one document between its requests. Only the event loop writes it."""

    planning: Planning = Planning()
    suggestions: tuple[CachedSuggestion, ...] = ()
    pending: tuple[PendingRequest, ...] = ()
    """Requests that were not answered to the end."""

    def without_answers(self) -> DocumentState:
        """For when another model, or other settings, would answer otherwise. Another object, so that what still runs
        writes to the old one."""
        return replace(self, suggestions=(), pending=())
