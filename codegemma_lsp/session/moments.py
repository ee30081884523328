"""The last moments of each document: whether it was changed, what was just deleted, and what was dismissed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from codegemma_lsp.completion import Dismissal, Moment, Outcome, Query, Suggestion, dismissal_of, is_dismissed, removes
from codegemma_lsp.completion.cursor import cursor_text
from codegemma_lsp.document import Change, Document, file_path
from codegemma_lsp.files import is_regular
from codegemma_lsp.text import common_prefix_length

_MOST_OFFERED = 64
"""The number of suggestions that are kept, because the client may say what became of them."""
_MOST_DISMISSED = 16
_DISMISSED_S = 600.0
"""The number of seconds for which a dismissal holds."""
_PATIENCE_S = 0.2
"""The number of seconds after which a slow disk is not waited for."""
_LARGEST_FILE = 2_000_000
"""The number of bytes of a file that is compared with its document."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A suggestion with the query that it answered."""

    query: Query
    suggestion: Suggestion


@dataclass(slots=True)
class _Life:
    """What is known of one open document. ``is_touched`` is None while nobody has asked."""

    is_touched: bool | None = None
    deleted_at: int | None = None
    """The place of the last change, in code points, if that only removed something."""
    accepted: Offered | None = None
    dismissals: list[tuple[float, Dismissal]] = field(default_factory=list)


class Moments:
    """The moments of all open documents, on the event loop. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lives: dict[str, _Life] = {}
        self._offered: dict[str, Offered] = {}

    def open(self, document: Document) -> None:
        self._lives[document.uri] = _Life()

    def close(self, uri: str) -> None:
        self._lives.pop(uri, None)
        self._offered = {key: one for key, one in self._offered.items() if one.query.document.uri != uri}

    def changed(self, document: Document, changes: Sequence[Change]) -> None:
        """Notes the changes that led to a document. Without them, something was typed."""
        life = self._lives.get(document.uri)
        if life is None:
            return
        life.is_touched = True
        is_deletion = bool(changes) and all(removes(change) for change in changes)
        life.deleted_at = _place(changes[-1]) if is_deletion else None
        if is_deletion and life.accepted is not None and life.accepted.query.document.text == document.text:
            self._dismiss(life, life.accepted)

    def offer(self, query: Query, suggestion: Suggestion) -> None:
        """Notes a suggestion that an answer contains, or what it has grown into."""
        self._offered.pop(suggestion.id, None)
        self._offered[suggestion.id] = Offered(query, suggestion)
        while len(self._offered) > _MOST_OFFERED:
            del self._offered[next(iter(self._offered))]

    def offered(self, item: str) -> Offered | None:
        """Returns the suggestion with this id, or None if it is unknown or its document was closed."""
        return self._offered.get(item)

    def accept(self, item: str) -> None:
        """Notes that a suggestion was accepted. If that is undone, it counts as dismissed."""
        one = self._offered.get(item)
        if one is not None and (life := self._lives.get(one.query.document.uri)) is not None:
            life.accepted = one

    def dismiss(self, item: str) -> None:
        """Notes that the user does not want a suggestion."""
        one = self._offered.get(item)
        if one is not None and (life := self._lives.get(one.query.document.uri)) is not None:
            self._dismiss(life, one)

    def _dismiss(self, life: _Life, one: Offered) -> None:
        cursor, suggested = cursor_text(one.query), _suggested(one.query, one.suggestion)
        dismissal = dismissal_of(cursor.text, cursor.offset, suggested)
        life.dismissals = [*life.dismissals[1 - _MOST_DISMISSED :], (self._clock(), dismissal)]

    def is_dismissed(self, query: Query, outcome: Outcome) -> bool:
        """Returns whether an outcome suggests what was dismissed at this place in the last minutes."""
        life = self._lives.get(query.document.uri)
        if life is None or not life.dismissals or outcome.suggestion is None:
            return False
        since, cursor = self._clock() - _DISMISSED_S, cursor_text(query)
        dismissals = [one for at, one in life.dismissals if at >= since]
        return is_dismissed(dismissals, cursor.text, cursor.offset, _suggested(query, outcome.suggestion))

    async def at(self, query: Query) -> Moment:
        """Returns what is known at a query. An untouched file is compared with its document in another thread."""
        document, cursor = query.document, cursor_text(query)
        life = self._lives.get(document.uri) or _Life(is_touched=True)
        if life.is_touched is None:
            is_touched = await _differs_from_file(document)
            life.is_touched = life.is_touched or is_touched
        at = life.deleted_at
        has_deleted = at is not None and document.line_at(at) == document.line_at(query.offset)
        return Moment(
            text=cursor.text,
            offset=cursor.offset,
            language=document.language,
            is_touched=life.is_touched,
            has_deleted=has_deleted,
        )


def _place(change: Change) -> int:
    return change.edit.span.start + common_prefix_length(change.removed, change.edit.text)


def _suggested(query: Query, suggestion: Suggestion) -> str:
    """Returns what a suggestion adds behind the cursor, with LF line ends."""
    text = suggestion.text
    if query.selected is not None and text.startswith(query.selected.text):
        text = text[len(query.selected.text) :]
    return text.replace("\r\n", "\n").replace("\r", "\n")


async def _differs_from_file(document: Document) -> bool:
    """Returns whether somebody has written in a document since its file was read: before the document was opened here,
    because the server was started late or again. A document that is no file, or whose file cannot be compared, counts
    as changed if it has a text."""
    if not document.uri.startswith("file:"):
        return bool(document.text)
    with suppress(TimeoutError):
        return await asyncio.wait_for(asyncio.to_thread(_differs, file_path(document.uri), document.text), _PATIENCE_S)
    return True


def _differs(path: Path, text: str) -> bool:
    try:
        if not is_regular(path) or path.stat().st_size > _LARGEST_FILE:
            return bool(text)
        saved = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return bool(text)
    return _lines(saved) != _lines(text)


def _lines(text: str) -> str:
    """Returns a text without what editors change in it when they read or show it: its line ends, and the last one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
