"""Detects that an answer only repeats itself, as answers of small models do."""

from __future__ import annotations

_END = 40
_LONGEST = 1500
_COPIES = 3
_SHORTEST = 200


def repeats(text: str) -> bool:
    """Returns whether a text ends in at least 3 copies of one block, in 200 characters or more. Rulers do not count."""
    return _period(text) > 0


def without_repeats(text: str) -> str:
    """Returns a text that ends in copies of one block with only one of them."""
    period = _period(text)
    if not period:
        return text
    start = len(text) - period
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return text[: start + period].rstrip()


def _period(text: str) -> int:
    """Returns the length of the block whose copies a text ends in, or 0 if there is none."""
    end = text[-_END:]
    before = text.rfind(end, max(0, len(text) - _END - _LONGEST), len(text) - 1)
    period = len(text) - len(end) - before
    length = max(_COPIES * period, _SHORTEST)
    if before < 0 or length > len(text) or not any(c.isalnum() for c in text[-period:]):
        return 0
    return period if text[-length:-period] == text[period - length :] else 0
