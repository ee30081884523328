"""Answers from cached suggestions: typed as suggested, deleted back into, or accepted in part."""

from __future__ import annotations

from codegemma_lsp.completion.postprocess import Insertion
from codegemma_lsp.completion.types import CachedSuggestion, PendingRequest
from codegemma_lsp.syntax import scan
from codegemma_lsp.text import line_start

_MOST_CACHED = 8
_AUTO_CLOSED = frozenset(")]}>\"'`")
_LONGEST_AUTO_CLOSED = 4
LONG_TEXT = 500_000
"""Code points beyond which only the suggestion on the screen is kept."""
_NEAR = 200
"""Code points before the cursor that are compared first, because long texts take long to compare."""


def remainder(suggestions: tuple[CachedSuggestion, ...], text: str, offset: int) -> Insertion | None:
    """What is left of the latest suggestion that the document has grown into; an empty text where it is known that
    there is nothing to suggest here; None where the model has to be asked."""
    for entry in reversed(suggestions):
        rest = _remainder_of(entry, text, offset)
        if rest is not None:
            return rest
    return None


def remember(suggestions: tuple[CachedSuggestion, ...], entry: CachedSuggestion) -> tuple[CachedSuggestion, ...]:
    """With ``entry`` as the latest; of a very long text only one is kept."""
    kept = suggestions[1 - _MOST_CACHED :] if len(entry.text) <= LONG_TEXT else ()
    return (*kept, entry)


def joined(pending: tuple[PendingRequest, ...], text: str, offset: int) -> PendingRequest | None:
    """The latest request whose text so far is what was typed since it was made."""
    for entry in reversed(pending):
        if _added(CachedSuggestion(entry.text, entry.offset, entry.progress.text), text, offset) is not None:
            return entry
    return None


def _added(entry: CachedSuggestion, text: str, offset: int) -> int | None:
    """How many closing brackets the editor has added after the cursor since, where the document has otherwise only
    grown by a part of ``entry.insert``; else None."""
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
    """Whether what is left of a suggestion closes, in this order, what the editor has closed already."""
    quotes = "\"'`"
    unmatched = iter(scan(rest, scan(before, "", quotes).quote, quotes).unmatched)
    return all(any(char == closer for _, char in unmatched) for closer in closers)


def _added_after(entry: CachedSuggestion, text: str, offset: int) -> int | None:
    """How many closing brackets the editor has put after the cursor since, or taken away when they were typed over;
    None where what follows the cursor has changed otherwise."""
    added = (len(text) - offset) - (len(entry.text) - entry.offset)
    if not -entry.overwrites <= added <= _LONGEST_AUTO_CLOSED:
        return None
    if not _AUTO_CLOSED.issuperset(text[offset : offset + max(0, added)]):
        return None
    same = text[offset + max(0, added) :] == entry.text[entry.offset + max(0, -added) :]
    return added if same else None
