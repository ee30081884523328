"""The values that completion takes and returns. Offsets are in code points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.protocol import Progress, Request, Usage
from codegemma_lsp.prompt import OtherFile, Prompt, PromptWindow
from codegemma_lsp.syntax import CursorScope, Excerpt, Syntax


@dataclass(frozen=True, slots=True)
class Selected:
    """The entry that is selected in the editor's completion list. Accepting it would replace ``span`` by ``text``."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to complete.

    ``offset`` is the cursor. ``explicit`` means that the user asked for the suggestion, so that low confidence is no
    reason to show none. ``selected`` is the entry that is selected in the completion list. ``other_files`` are pieces
    of other files that the model may see, and ``repository`` is the name of the repository that they belong to.
    """

    document: Document
    offset: int
    path: str
    explicit: bool = False
    selected: Selected | None = None
    other_files: tuple[OtherFile, ...] = ()
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Replaces ``span``, which contains the cursor and stays on its line, by ``text``."""

    id: str
    span: Span
    text: str


class Origin(StrEnum):
    """Where an outcome comes from. ``QUIET`` means that nothing is shown on purpose."""

    MODEL = "model"
    REUSE = "reuse"
    QUIET = "quiet"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a query: a suggestion, or the ``reason`` why there is none.

    ``ms`` maps each stage to milliseconds; the stage "own" is all the time outside the model. If the model was asked
    more than once, ``usage`` is the sum of all requests, except for ``prompt_tokens`` and ``cached_tokens``, which are
    those of the last request. ``said`` is the model's text before postprocessing. ``others`` are the alternatives to
    ``suggestion``.
    """

    suggestion: Suggestion | None
    origin: Origin
    usage: Usage = field(default_factory=Usage)
    ms: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    mean_logprob: float = 0.0
    said: str = ""
    others: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSuggestion:
    """A suggestion that was offered at ``offset`` of ``text``.

    ``insert`` is the suggested text, and ``overwrites`` is how many characters after ``offset`` it replaces. ``insert``
    is empty if there was nothing to suggest.
    """

    text: str
    offset: int
    insert: str
    overwrites: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A prompt, with what is needed to judge its answer.

    ``syntax`` is the tree of an excerpt of the LF-only text, with the selected entry in place. ``offset`` is the cursor
    in the excerpt, and ``scope`` is the cursor's scope. ``text`` is all of the text, and ``text_offset`` the cursor in
    it. ``specials`` are the spellings of the model's special tokens.
    ``near`` means that the prompt shows less than the settings allow, because a longer prompt takes too long to
    prefill. ``other_files`` are the pieces of other files that the prompt shows.
    """

    prompt: Prompt
    syntax: Syntax
    offset: int
    scope: CursorScope
    text: str
    text_offset: int
    specials: tuple[str, ...] = ()
    near: bool = False
    other_files: tuple[OtherFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A request that was made with the cursor at ``offset`` of ``text``. ``progress`` is the request's own, and holds
    what has been generated so far."""

    text: str
    offset: int
    plan: Plan
    request: Request
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What a plan passes on to the next plan for the same document.

    ``excerpt``, ``syntax`` and ``head`` are where incremental parsing continues. ``window`` is the prompt's window,
    ``near`` is the smaller window that was shown before the whole was prefilled, and ``other_files`` are the pieces in
    the prompt. ``ahead`` is the window of the prompt with other pieces of other files, which replaces ``window`` as
    soon as that prompt has been prefilled.
    """

    excerpt: Excerpt | None = None
    syntax: Syntax | None = None
    head: Syntax | None = None
    window: PromptWindow | None = None
    near: PromptWindow | None = None
    other_files: tuple[OtherFile, ...] = ()
    ahead: PromptWindow | None = None

    def shows(self, text: str) -> bool:
        """Returns whether a text still contains, at the same offset, the part of the window that precedes the cursor's
        line."""
        return self.window is not None and text.startswith(self.window.before, self.window.head)


@dataclass
class DocumentState:
    """What is kept of a document between its requests. Only the event loop writes it."""

    planning: Planning = Planning()
    suggestions: tuple[CachedSuggestion, ...] = ()
    pending: tuple[PendingRequest, ...] = ()
    """The requests whose generation was interrupted and may continue."""

    def without_answers(self) -> DocumentState:
        """Returns a copy without answers, for use after a change of the model or of the settings. Requests that still
        run write to the old object."""
        return replace(self, suggestions=(), pending=())
