"""What was just edited in other files: stretches of texts that changed, and the lines around them as pieces.

A stretch is carried along by each edit of its text, so that no two texts are ever compared as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece
from codegemma_lsp.document import Edit, Span
from codegemma_lsp.text import common_prefix_length, common_suffix_length, line_end, line_start

MOST_HUNKS = 8
"""The number of hunks that pieces are made of, and that of stretches that are kept of a file."""
_LONGEST_CHANGE = 4_000
"""Code points. What is longer was not typed: it is another branch, a file that was formatted, or a large paste."""
_LONGEST_HUNK = 400
"""Code points of a hunk that is shown."""
_CONTEXT_LINES = 2
_ABOVE, _BELOW = 1_500, 500
"""Code points around a cursor in which names are looked for."""
_NAMES_GONE = 0.85
"""The value of a hunk in which a name that stands near the cursor was replaced or removed."""
_NAMES_SHARED = 0.3, 0.5
"""The value of a hunk that shares no name with the text near the cursor, and what is added if it shares all."""
_FEW_NAMES = 4
"""A hunk with fewer names shares them less than a whole one would: one common name says little."""
_WORD = re.compile(r"[^\W\d]\w{2,}")
_COMMON = frozenset(
    _WORD.findall(
        "abstract and any args array assert async await bool boolean break case catch char class cls const"
        " continue data def default del delete dict double elif else enum except export extends extern false final"
        " finally float fmt for from func function get global goto impl implements import include int interface"
        " kwargs lambda len let list long map match mod mut namespace new nil none not null number object operator"
        " out override package pass print private protected pub public raise ref return self set short signed"
        " static str string struct super switch template test then this throw throws true try tuple type typedef"
        " typename typing union unsigned use using val value var vec virtual void where while with yield"
    )
)
"""Words that files have in common without being about the same, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a text that was changed: where it is in the text as it is now (code points), what stood there
    ``before``, and when it was changed last, in seconds of the clock that its owner reads."""

    span: Span
    before: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Changed lines of the file at ``path``, with a few lines around them.

    ``text`` is whole lines as they are now. ``names`` are the identifiers of the changed lines, as they are and as they
    were, and ``gone`` those that are no longer there.
    """

    path: str
    text: str
    names: frozenset[str]
    gone: frozenset[str]
    at: float


def with_edit(stretches: Sequence[Stretch], edit: Edit, *, removed: str, text: str, at: float) -> tuple[Stretch, ...]:
    """Returns the changed stretches of a text after an edit, in their order. ``removed`` is what the edit replaced,
    ``text`` the whole text after it.

    Stretches that touch become one. One in which everything is as it was before is dropped, as after an undo. The cost
    is that of the edit's own length and of the number of stretches.
    """
    edit, removed = _trimmed(edit, removed)
    if not removed and not edit.text:
        return tuple(stretches)
    start, end = edit.span.start, edit.span.end
    delta = len(edit.text) - len(removed)
    touched = [one for one in stretches if one.span.start <= end and one.span.end >= start]
    others = [_moved(one, delta if one.span.start > end else 0) for one in stretches if one not in touched]
    changed = _united(touched, Span(start, end), removed, delta, at)
    is_typed = max(len(removed), len(edit.text), len(changed.before)) <= _LONGEST_CHANGE
    is_undone = len(changed.span) == len(changed.before) and text.startswith(changed.before, changed.span.start)
    kept = [*others, changed] if is_typed and not is_undone else others
    newest = sorted(kept, key=lambda one: one.at)[-MOST_HUNKS:]
    return tuple(sorted(newest, key=lambda one: one.span.start))


def _trimmed(edit: Edit, removed: str) -> tuple[Edit, str]:
    """Returns the part of an edit in which the new text differs from the old: editors replace more than they change."""
    start = common_prefix_length(removed, edit.text)
    end = common_suffix_length(removed, edit.text, min(len(removed), len(edit.text)) - start)
    text = edit.text[start : len(edit.text) - end]
    return Edit(Span(edit.span.start + start, edit.span.end - end), text), removed[start : len(removed) - end]


def _moved(one: Stretch, delta: int) -> Stretch:
    return replace(one, span=Span(one.span.start + delta, one.span.end + delta)) if delta else one


def _united(touched: Sequence[Stretch], span: Span, removed: str, delta: int, at: float) -> Stretch:
    """Returns the stretch of an edit together with those that it touches. What is between them was in ``removed``."""
    before, position = [], span.start
    for one in touched:
        before += [removed[position - span.start : max(0, one.span.start - span.start)], one.before]
        position = max(position, one.span.end)
    before.append(removed[position - span.start :])
    start = min([span.start, *(one.span.start for one in touched)])
    end = max([span.end, *(one.span.end for one in touched)])
    return Stretch(span=Span(start, end + delta), before="".join(before), at=at)


def hunks(path: str, text: str, stretches: Sequence[Stretch], since: float) -> list[Hunk]:
    """Returns the changed lines of a text, in its order, of changes since a time. Those that touch, with the lines
    around them, are one hunk. Lines without a name are left out."""
    regions: list[_Region] = []
    for stretch in stretches:
        if stretch.at >= since:
            region = _region(text, stretch)
            regions[-1:] = _joined(regions[-1], region) if regions else [region]
    found = (_hunk(path, text, region) for region in regions)
    return [hunk for hunk in found if hunk is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """Lines that changed (``lines``), the same with those ``around`` them, and the names there before and now."""

    lines: Span
    around: Span
    were: frozenset[str]
    now: frozenset[str]
    at: float


def _region(text: str, stretch: Stretch) -> _Region:
    span = stretch.span
    # Line ends at the edges of a stretch do not change the lines beyond them.
    begun = text[span.start : min(span.end, span.start + 2)]
    start = span.start + len(begun) - len(begun.lstrip("\r\n"))
    end = span.end - 1 if span.end > start and text[span.end - 1] == "\n" else span.end
    lines = Span(line_start(text, start), min(len(text), line_end(text, end) + 1))
    first, end = lines.start, lines.end
    for _ in range(_CONTEXT_LINES):
        first = line_start(text, first - 1) if first > 0 else 0
        end = min(len(text), line_end(text, end) + 1)
    head = text[max(lines.start, span.start - _LONGEST_CHANGE) : span.start]
    tail = text[span.end : min(lines.end, span.end + _LONGEST_CHANGE)]
    now = text[span.start : min(span.end, span.start + _LONGEST_CHANGE)]
    return _Region(
        lines=lines,
        around=Span(first, end),
        were=names_in(head + stretch.before + tail),
        now=names_in(head + now + tail),
        at=stretch.at,
    )


def _joined(one: _Region, other: _Region) -> list[_Region]:
    """Returns two regions, the first one first, as one if they touch."""
    if other.around.start > one.around.end:
        return [one, other]
    return [
        _Region(
            lines=Span(one.lines.start, max(one.lines.end, other.lines.end)),
            around=Span(one.around.start, max(one.around.end, other.around.end)),
            were=one.were | other.were,
            now=one.now | other.now,
            at=max(one.at, other.at),
        )
    ]


def _hunk(path: str, text: str, region: _Region) -> Hunk | None:
    """Returns a region as it is shown: without the lines around it, and then without its last lines, if it is long."""
    span = region.around if len(region.around) <= _LONGEST_HUNK else region.lines
    shown = text[span.start : min(span.end, span.start + _LONGEST_HUNK)]
    if len(span) > _LONGEST_HUNK:
        shown = shown[: shown.rfind("\n") + 1]
    shown = shown.replace("\r\n", "\n").strip("\n")
    names = region.were | region.now
    if not shown.strip() or not names:
        return None
    return Hunk(path=path, text=f"{shown}\n", names=names, gone=region.were - region.now, at=region.at)


def names_in(text: str) -> frozenset[str]:
    """Returns the identifiers of a text that tell what it is about."""
    return frozenset(word for word in _WORD.findall(text) if word.lower() not in _COMMON)


def edited_pieces(found: Sequence[Hunk], cursor: CursorInFile, files: Files) -> Iterator[Piece]:
    """Yields the newest hunks in other files, the newest last, as far as those files may be read and still have them.

    A hunk is worth its tokens if a name that it took away stands near the cursor, or if it shares many of its names.
    """
    near = names_in(cursor.text[max(0, cursor.offset - _ABOVE) : cursor.offset + _BELOW])
    elsewhere = [hunk for hunk in sorted(found, key=lambda hunk: hunk.at) if hunk.path != cursor.path]
    for hunk in elsewhere[-MOST_HUNKS:]:
        if files.exists(hunk.path) and hunk.text.rstrip("\n") in (files.read(hunk.path) or ""):
            yield _piece(hunk, near)


def _piece(hunk: Hunk, near: frozenset[str]) -> Piece:
    shared, gone = sorted(hunk.names & near), sorted(hunk.gone & near)
    least, most = _NAMES_SHARED
    share = len(shared) / max(_FEW_NAMES, min(len(hunk.names), len(near)))
    reason = f"was just edited, and {gone[0]}, which was there, is used near the cursor" if gone else "was just edited"
    if shared and not gone:
        reason = f"was just edited and shares {' and '.join(shared[:2])} with the text near the cursor"
    return Piece(
        path=hunk.path,
        text=hunk.text,
        kind=Kind.EDIT,
        reason=reason,
        names=hunk.names - hunk.gone,
        value=_NAMES_GONE if gone else least + most * share,
    )
