"""How much of an accepted suggestion is still in the code: a part of a text that each change carries along, and the
longest common subsequence of its characters with what was accepted.

Blanks do not count, because a formatter moves them and nobody wrote them. Offsets are in code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from codegemma_lsp.document import Change, Span
from codegemma_lsp.text import common_prefix_length, common_suffix_length

_LONGEST_PART = 8
"""The length up to which a part is compared, as a multiple of what was accepted. A longer one is another text, of which
every short text is a subsequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What was accepted, what it ``replaced``, and the part of the document where it is now.

    ``lost`` is what stood in the part when it was removed as a whole, or "". A move puts it elsewhere.
    """

    accepted: str
    replaced: str
    part: Span
    lost: str = ""


def follow(text: str, start: int, accepted: str, replaced: str = "") -> Followed | None:
    """Returns what to follow after ``accepted`` took the place of ``replaced`` at ``start``, or None if the text does
    not have it there."""
    if not accepted.strip() or not text.startswith(accepted, start):
        return None
    return Followed(accepted=accepted, replaced=replaced, part=Span(start, start + len(accepted)))


def with_changes(followed: Followed, changes: Sequence[Change]) -> Followed:
    """Returns what is followed, in the document after the changes of one notification."""
    after = reduce(_with_change, changes, followed)
    if after.lost and any(after.lost in change.edit.text for change in changes):
        # A move whose insertion came before its removal.
        return _found_again(after, changes[-1].after.text.index(after.lost))
    return after


def kept(followed: Followed, text: str) -> int:
    """Returns how many of the new characters are still in the part, from 0 to ``new_characters``."""
    part = followed.part
    now = _filled(text[part.start : min(part.end, part.start + _LONGEST_PART * len(followed.accepted))])
    same = common_subsequence_length(_filled(followed.accepted), now)
    return max(0, min(new_characters(followed), same - len(_filled(followed.replaced))))


def new_characters(followed: Followed) -> int:
    """Returns the number of characters that the acceptance added, without blanks."""
    return max(0, len(_filled(followed.accepted)) - len(_filled(followed.replaced)))


def common_subsequence_length(a: str, b: str) -> int:
    """Returns the length of the longest common subsequence (Hyyrö 2004). ``row`` has a bit for each character of ``a``,
    which is cleared when it is matched."""
    masks: dict[str, int] = {}
    for index, character in enumerate(a):
        masks[character] = masks.get(character, 0) | 1 << index
    whole = row = (1 << len(a)) - 1
    for character in b:
        matched = row & masks.get(character, 0)
        row = ((row + matched) | (row - matched)) & whole
    return len(a) - row.bit_count()


def _with_change(followed: Followed, change: Change) -> Followed:
    removed, inserted, start = _narrowed(change)
    end, part, growth = start + len(removed), followed.part, len(inserted) - len(removed)
    if followed.lost and followed.lost in inserted:
        return _found_again(followed, start + inserted.index(followed.lost))
    if not removed and part.start <= start <= part.end and len(part) < len(followed.accepted):
        # Something is missing, which an undo may have put back at the part's edge.
        return replace(followed, part=Span(part.start, part.end + growth))
    if end <= part.start:
        return replace(followed, part=Span(part.start + growth, part.end + growth))
    if start >= part.end:
        return followed
    if start <= part.start and end >= part.end and not inserted.strip():
        gone = change.before.text[part.start : part.end].strip()
        return replace(followed, part=Span(start, start), lost=gone or followed.lost)
    first = part.start if part.start < start else start + _first(removed, inserted, part.start - start)
    last = part.end + growth if part.end > end else start + _last(removed, inserted, part.end - start)
    return replace(followed, part=Span(first, max(first, last)))


def _found_again(followed: Followed, at: int) -> Followed:
    return replace(followed, part=Span(at, at + len(followed.lost)), lost="")


def _narrowed(change: Change) -> tuple[str, str, int]:
    """Returns what a change removed and inserted, and where, without the parts that are equal at both ends."""
    removed, inserted = change.removed, change.edit.text
    head = common_prefix_length(removed, inserted)
    tail = common_suffix_length(removed, inserted, min(len(removed), len(inserted)) - head)
    start = change.edit.span.start + head
    return removed[head : len(removed) - tail], inserted[head : len(inserted) - tail], start


def _first(removed: str, inserted: str, at: int) -> int:
    """Returns where a part that began at ``at`` of a replaced text begins in its replacement. Blanks aside, the two are
    equal at their ends. A part that began where they differ begins with the difference."""
    old, new, head, tail = _aligned(removed, inserted)
    count = len(_filled(removed[:at]))
    return _index(inserted, count if count <= head else new - (old - count) if count >= old - tail else head)


def _last(removed: str, inserted: str, at: int) -> int:
    """Returns where a part that ended at ``at`` of a replaced text ends in its replacement."""
    old, new, head, tail = _aligned(removed, inserted)
    count = len(_filled(removed[:at]))
    count = count if count <= head else new - (old - count) if count >= old - tail else new - tail
    return _index(inserted, count - 1) + 1 if count > 0 else 0


def _aligned(removed: str, inserted: str) -> tuple[int, int, int, int]:
    """Returns the numbers of characters of two texts, and how many are equal at their beginning and at their end,
    without blanks."""
    old, new = _filled(removed), _filled(inserted)
    head = common_prefix_length(old, new)
    return len(old), len(new), head, common_suffix_length(old, new, min(len(old), len(new)) - head)


def _index(text: str, count: int) -> int:
    """Returns the offset of the character with ``count`` characters other than blanks before it."""
    places = [index for index, character in enumerate(text) if not character.isspace()]
    return places[count] if count < len(places) else len(text)


def _filled(text: str) -> str:
    return "".join(text.split())
