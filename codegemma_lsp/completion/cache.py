"""Answers from cached suggestions after they were typed along, deleted back into or accepted in part."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from codegemma_lsp.completion.cursor import CursorText
from codegemma_lsp.completion.postprocess import Insertion
from codegemma_lsp.completion.types import CachedSuggestion, PendingRequest
from codegemma_lsp.syntax import scan
from codegemma_lsp.text import line_start

_MOST_CACHED = 8
_AUTO_CLOSED = frozenset(")]}>\"'`")
_LONGEST_AUTO_CLOSED = 4
LONG_TEXT = 500_000
"""The number of code points beyond which only the suggestion on the screen is kept."""
_NEAR = 200
"""The number of code points before the cursor that are compared first, because long texts take long to compare."""


def remainder(suggestions: tuple[CachedSuggestion, ...], text: str, offset: int) -> Insertion | None:
    """Returns what is left of the latest suggestion that the document has grown into.

    The result has an empty text if the cache knows that there is nothing to suggest here, and it is None if the model
    must be asked.
    """
    for entry in reversed(suggestions):
        rest = _remainder_of(entry, text, offset)
        if rest is not None:
            return rest
    return None


def remember(suggestions: tuple[CachedSuggestion, ...], entry: CachedSuggestion) -> tuple[CachedSuggestion, ...]:
    """Returns the suggestions with ``entry`` as the latest. Only one is kept for a very long text."""
    kept = suggestions[1 - _MOST_CACHED :] if len(entry.text) <= LONG_TEXT else ()
    return (*kept, entry)


def remember_beside(suggestions: tuple[CachedSuggestion, ...], entry: CachedSuggestion) -> tuple[CachedSuggestion, ...]:
    """Returns the suggestions with ``entry`` as the latest but one, so that what is shown stays the latest."""
    return (*remember(suggestions[:-1], entry), *suggestions[-1:])


def cached(at: CursorText | PendingRequest, insertion: Insertion) -> CachedSuggestion:
    """Returns the insertion that was offered at a cursor, for the cache."""
    return CachedSuggestion(text=at.text, offset=at.offset, insert=insertion.text, overwrites=insertion.overwrites)


class Agreement(Enum):
    """How the text that was typed since a request compares with its answer so far. ``UNDECIDED`` means that more was
    typed than has been generated."""

    AGREES = auto()
    UNDECIDED = auto()
    DISAGREES = auto()


def agreement(entry: CachedSuggestion, text: str, offset: int) -> Agreement:
    """Returns how a document with its cursor at ``offset`` agrees with an answer of which ``entry.insert`` has been
    generated."""
    typed = text[entry.offset : offset]
    written = entry.insert[: len(typed)]
    if offset < entry.offset or not typed.startswith(written):
        return Agreement.DISAGREES
    grown = replace(entry, insert=entry.insert if len(written) == len(typed) else typed)
    if _added(grown, text, offset) is None:
        return Agreement.DISAGREES
    return Agreement.AGREES if len(written) == len(typed) else Agreement.UNDECIDED


def agreement_of_change(entry: CachedSuggestion, text: str) -> tuple[Agreement, int]:
    """Returns the agreement of a changed document, and the likeliest offset of the cursor, which a change does not
    report.

    The cursor is expected after the inserted text, but before closing brackets that the editor may have added.
    """
    grown = len(text) - len(entry.text)
    places = range(entry.offset + grown, entry.offset + grown - _LONGEST_AUTO_CLOSED - 1, -1)
    found = [(agreement(entry, text, offset), offset) for offset in places if offset >= entry.offset]
    found += [(agreement(entry, text, offset), offset) for offset in _typed_over(entry, grown)]
    return min(found, key=lambda one: one[0].value, default=(Agreement.DISAGREES, entry.offset))


def _typed_over(entry: CachedSuggestion, grown: int) -> range:
    """Returns the offsets at which the cursor may be if closing brackets after it were typed over."""
    return range(entry.offset + grown + 1, entry.offset + grown + entry.overwrites + 1)


def joined(pending: tuple[PendingRequest, ...], text: str, offset: int) -> PendingRequest | None:
    """Returns the latest request whose text so far begins with what was typed since it was made, or None."""
    for entry in reversed(pending):
        so_far = CachedSuggestion(text=entry.text, offset=entry.offset, insert=entry.progress.text)
        if agreement(so_far, text, offset) is Agreement.AGREES:
            return entry
    return None


def _added(entry: CachedSuggestion, text: str, offset: int) -> int | None:
    """Returns how many closing brackets the editor has added after the cursor since ``entry`` was offered.

    The result is None unless the document has otherwise only grown by a part of ``entry.insert``.
    """
    typed = offset - entry.offset
    if not 0 <= typed <= len(entry.insert) or not text.startswith(entry.insert[:typed], entry.offset):
        return None
    near = max(0, entry.offset - _NEAR)
    if text[near : entry.offset] != entry.text[near : entry.offset]:
        return None
    added = _added_after(entry, text, offset)
    return added if added is not None and text[: entry.offset] == entry.text[: entry.offset] else None


def _remainder_of(entry: CachedSuggestion, text: str, offset: int) -> Insertion | None:
    typed = offset - entry.offset
    added = _added(entry, text, offset)
    if added is None or (typed == len(entry.insert) and entry.insert):
        return None
    rest, overwrites = entry.insert[typed:], entry.overwrites + added
    if added > 0 and not _brings(rest, text[line_start(text, offset) : offset], text[offset : offset + added]):
        return None
    if entry.insert and rest == text[offset : offset + overwrites]:
        return Insertion("")
    return Insertion(rest, overwrites) if rest.strip() or not entry.insert else None


def _brings(rest: str, before: str, closers: str) -> bool:
    """Returns whether the rest of a suggestion closes, in this order, the brackets that the editor has already
    closed."""
    quotes = "\"'`"
    unmatched = iter(scan(rest, scan(before, "", quotes).quote, quotes).unmatched)
    return all(any(char == closer for _, char in unmatched) for closer in closers)


def _added_after(entry: CachedSuggestion, text: str, offset: int) -> int | None:
    """Returns how many closing brackets the editor has added after the cursor. The number is negative if brackets were
    typed over, and None if the text after the cursor has changed in another way."""
    added = (len(text) - offset) - (len(entry.text) - entry.offset)
    if not -entry.overwrites <= added <= _LONGEST_AUTO_CLOSED:
        return None
    if not _AUTO_CLOSED.issuperset(text[offset : offset + max(0, added)]):
        return None
    same = text[offset + max(0, added) :] == entry.text[entry.offset + max(0, -added) :]
    return added if same else None
