"""Answers from the suggestions in hand: typed as suggested, deleted back into, or accepted in part."""

from __future__ import annotations

from codegemma_lsp.completion.types import Shown

_MOST_IN_HAND = 8
_AUTO_CLOSED = frozenset(")]}>\"'`")
_LONGEST_AUTO_CLOSED = 4
_LONG_TEXT = 500_000


def remainder(shown: tuple[Shown, ...], text: str, offset: int) -> str | None:
    """What is left of the latest suggestion that the document has grown into; "" where it is known that there is
    nothing to suggest here; None where the model has to be asked."""
    for entry in reversed(shown):
        rest = _remainder_of(entry, text, offset)
        if rest is not None:
            return rest
    return None


def remember(shown: tuple[Shown, ...], entry: Shown) -> tuple[Shown, ...]:
    """With ``entry`` as the latest; of a very long text only one is kept."""
    kept = shown[1 - _MOST_IN_HAND :] if len(entry.text) <= _LONG_TEXT else ()
    return (*kept, entry)


def _remainder_of(entry: Shown, text: str, offset: int) -> str | None:
    typed = offset - entry.offset
    if typed < 0 or typed > len(entry.insert) or (typed == len(entry.insert) and entry.insert):
        return None
    if not text.startswith(entry.insert[:typed], entry.offset) or not _same_tail(entry, text, offset):
        return None
    if text[: entry.offset] != entry.text[: entry.offset]:
        return None
    rest = entry.insert[typed:]
    return rest if rest.strip() or not entry.insert else None


def _same_tail(entry: Shown, text: str, offset: int) -> bool:
    """Whether what follows the cursor is what followed it then, but for brackets that the editor closed itself."""
    added = (len(text) - offset) - (len(entry.text) - entry.offset)
    if not 0 <= added <= _LONGEST_AUTO_CLOSED:
        return False
    if not _AUTO_CLOSED.issuperset(text[offset : offset + added]):
        return False
    return text[offset + added :] == entry.text[entry.offset :]
