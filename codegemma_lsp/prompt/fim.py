"""How infills are laid out, and which part of a document they show.

Sources: Bavarian et al. 2022 (arXiv:2207.14255) for PSM and SPM; for each family's own form, ``families``. ``anchored``
is the family's first order with its middle already begun: in distribution for any infilling model, and what is typed
only ever appends to it. A family that cannot infill is asked with the text before the cursor alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace

from codegemma_lsp.prompt.heal import healed, line_start
from codegemma_lsp.prompt.types import (
    BudgetTooSmall,
    Layout,
    Prompt,
    Segment,
    Slot,
    Special,
    Text,
    Tokenizer,
    count_text,
    count_tokens,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the prompt before this one showed of the document: kept as long as it serves, so that typing appends.

    Offsets are code points: the window is ``text[head:cursor]`` and ``suffix`` after it, which may reach
    ``to_the_end`` of the text; ``anchor`` is where the middle begins. ``before`` is ``text[head:anchor]``, by which a
    changed document is noticed. ``outside`` is what was put before the window; it is kept too, because a line half
    typed often hides the enclosing definitions from the parser, and to follow it would read the whole prompt again.
    """

    head: int
    anchor: int
    outside: str
    before: str
    suffix: str
    to_the_end: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What there is to complete. ``imports`` and ``headers`` are (start, text) of the file's import statements and
    of the enclosing definitions' headers: those that the window does not reach are put before it."""

    path: str
    text: str
    offset: int
    imports: tuple[tuple[int, str], ...] = ()
    headers: tuple[tuple[int, str], ...] = ()
    other_files: tuple[OtherFile, ...] = ()
    repository: str = ""


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A piece of another file that the model may see, and why it is shown."""

    path: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Token counts. ``prompt`` is the most that the whole prompt may hold."""

    prompt: int
    suffix_share: float = 0.25
    middle: int = 256
    """Tokens between the anchor and the cursor beyond which the anchor moves up to the cursor's line."""
    head_step: int = 16
    """Lines in whose multiples the window's head moves."""


LONGEST_PIECE = 32
"""Code points of the longest pieces (runs of blanks): a text longer than this a token is not worth counting."""
LONGEST_LINE = 4_000
"""Code points of a line that are looked at on either side of the cursor; longer lines are cut to multiples of this."""


def build_fim(
    site: Site, layout: Layout, budget: Budget, tokenizer: Tokenizer, heal: bool = True, previous: Frame | None = None
) -> tuple[Prompt, Frame]:
    """The infill prompt for a cursor, and the frame to pass as ``previous`` for the next one in the same document.

    The token count is exact and at most ``budget.prompt``; raises ``BudgetTooSmall`` where that is too little for
    the format itself.
    """
    family = tokenizer.family
    order = family.order(layout)
    opening, lead = _opening(site, budget, tokenizer)
    fixed = sum(isinstance(part, Special) for part in order) + count_text(tokenizer, lead)
    room = budget.prompt - fixed - count_tokens(opening, tokenizer)
    if room < 1:
        raise BudgetTooSmall(
            f"A prompt of {budget.prompt} tokens is too small for an infill; raise contextTokens or lower maxTokens."
        )
    if Slot.SUFFIX not in order:
        budget = replace(budget, suffix_share=0)
    frame = _kept_frame(site, layout, room, tokenizer, previous, budget) or _new_frame(site, room, budget, tokenizer)
    middle = site.text[frame.anchor : site.offset]
    prefix = frame.before if layout is Layout.ANCHORED else frame.before + middle
    tail = middle if layout is Layout.ANCHORED else prefix
    kept, spell = healed(tail, tokenizer) if heal else (tail, b"")
    if layout is Layout.ANCHORED:
        middle = kept
    else:
        prefix, middle = kept, ""
    shown: dict[Slot, tuple[Segment, ...]] = {
        Slot.PREFIX: _prefix(lead, frame.outside, prefix),
        Slot.SUFFIX: _texts((frame.suffix, "suffix")),
    }
    body = [segment for part in order for segment in (shown[part] if isinstance(part, Slot) else (part,))]
    segments: tuple[Segment, ...] = (*opening, *body, *_texts((middle, "middle so far")))
    return Prompt(segments, count_tokens(segments, tokenizer), spell), frame


def before_suffix(prompt: Prompt) -> Prompt:
    """The part of an infill that prompts for places further down begin with: what is before the suffix; nothing where
    the suffix comes first. ``tokens`` stays that of the whole."""
    at = prompt.segments.index(Special.FIM_SUFFIX) if Special.FIM_SUFFIX in prompt.segments else len(prompt.segments)
    shown = any(isinstance(segment, Text) and segment.reason == "prefix" for segment in prompt.segments[:at])
    return replace(prompt, segments=prompt.segments[:at] if shown else (), spell=b"")


def _prefix(lead: str, outside: str, prefix: str) -> tuple[Segment, ...]:
    """The text before the cursor, below what was put before the window; the lead is joined to whichever is first."""
    if outside:
        return _texts((lead + outside, "headers and imports outside the window"), (prefix, "prefix"))
    return _texts((lead + prefix, "prefix"))


def _texts(*pairs: tuple[str, str]) -> tuple[Text, ...]:
    return tuple(Text(text, reason) for text, reason in pairs if text)


def _opening(site: Site, budget: Budget, tokenizer: Tokenizer) -> tuple[tuple[Segment, ...], str]:
    """BOS, other files and the name of this one, as long as they leave three quarters of the budget to its text; and
    what the prefix begins with."""
    family = tokenizer.family
    wanted = tokenizer.begins_with_bos if family.bos is None else family.bos
    bos: tuple[Segment, ...] = (Special.BOS,) if wanted else ()
    left = budget.prompt // 4
    heading = _filled(family.heading, "file path", path=site.path) if site.path else ()
    left -= count_tokens(heading, tokenizer)
    if left < 0:
        return bos, family.prefix_lead
    files: list[Segment] = []
    # A family without a form for several files was not trained on them.
    for other in reversed(site.other_files if family.heading else ()):
        text = other.text if other.text.endswith("\n") else f"{other.text}\n"
        piece = (*_filled(family.heading, other.reason, path=other.path), *_texts((text, other.reason)))
        piece = (*piece, *_filled(family.joint, ""))
        left -= count_tokens(piece, tokenizer)
        if left < 0:
            break
        files[:0] = piece
    if not files and not family.names_single_file:
        return bos, family.prefix_lead
    repository = _filled(family.repository, "repository", name=site.repository) if files and site.repository else ()
    lead = family.prefix_lead
    if family.path_in_prefix:
        lead += "".join(part.text for part in heading if isinstance(part, Text))
        heading = tuple(part for part in heading if isinstance(part, Special))
    return (*bos, *repository, *files, *heading), lead


def _filled(template: tuple[Special | str, ...], reason: str, **names: str) -> tuple[Segment, ...]:
    """A family's template with its names put in; they are text and never become special tokens."""
    return tuple(part if isinstance(part, Special) else Text(part.format(**names), reason) for part in template)


def _kept_frame(
    site: Site, layout: Layout, room: int, tokenizer: Tokenizer, frame: Frame | None, budget: Budget
) -> Frame | None:
    """The previous frame where it still shows this document and fits; else None.

    The suffix may have changed: it then is taken anew, which costs reading it and the middle again.
    """
    if frame is None or site.offset < frame.anchor:
        return None
    if site.text[frame.head : frame.anchor] != frame.before:
        return None
    if site.offset - frame.anchor > LONGEST_PIECE * room:
        return None
    middle = count_text(tokenizer, site.text[frame.anchor : site.offset])
    if layout is Layout.ANCHORED and middle > min(budget.middle, budget.prompt // 4):
        return None
    suffix = frame.suffix
    to_the_end = site.offset + len(suffix) == len(site.text)
    if not site.text.startswith(suffix, site.offset) or frame.to_the_end != to_the_end:
        suffix = _suffix(site, int(room * budget.suffix_share), tokenizer)
    used = (
        count_text(tokenizer, frame.outside)
        + middle
        + count_text(tokenizer, frame.before)
        + count_text(tokenizer, suffix)
        + 1
    )
    if used > room:
        return None
    return replace(frame, suffix=suffix, to_the_end=site.offset + len(suffix) == len(site.text))


def _new_frame(site: Site, room: int, budget: Budget, tokenizer: Tokenizer) -> Frame:
    """A frame whose head leaves an eighth of the prefix's room free, so that it can stay while lines are added."""
    suffix = _suffix(site, int(room * budget.suffix_share), tokenizer)
    free = room - count_text(tokenizer, suffix) - 1
    wanted = free - free // 8
    head = _head(site, wanted, budget.head_step, tokenizer)
    anchor = max(head, line_start(site.text, site.offset))
    outside = _outside_window(site, head, wanted // 4, tokenizer)
    to_the_end = site.offset + len(suffix) == len(site.text)
    return Frame(head, anchor, outside, site.text[head:anchor], suffix, to_the_end)


def _head(site: Site, wanted: int, step: int, tokenizer: Tokenizer) -> int:
    """The window's first offset: the lowest multiple of ``step`` lines from which the prefix fits."""
    starts = _line_starts_before(site, budget_chars=wanted * 16)
    lines_above = site.text.count("\n", 0, starts[0])
    marks = [s for i, s in enumerate(starts) if (lines_above + i) % step == 0]
    marks = sorted({*marks, *starts[-step:]})
    first = bisect_left(marks, True, key=lambda start: _fits(site, start, wanted, tokenizer))
    return marks[first] if first < len(marks) else _cut_line(site, wanted, tokenizer)


def _fits(site: Site, head: int, tokens: int, tokenizer: Tokenizer) -> bool:
    if site.offset - head > LONGEST_PIECE * tokens:
        return False
    outside = _outside_window(site, head, tokens // 4, tokenizer)
    return count_text(tokenizer, outside) + count_text(tokenizer, site.text[head : site.offset]) <= tokens


def _line_starts_before(site: Site, budget_chars: int) -> list[int]:
    """Starts of the lines before the cursor, ascending, as far back as the budget could possibly reach."""
    first = line_start(site.text, max(0, site.offset - budget_chars))
    return [first, *(m.end() for m in re.compile(r"\n").finditer(site.text, first, site.offset))]


def _cut_line(site: Site, wanted: int, tokenizer: Tokenizer) -> int:
    """For a line too long to fit: a point within it, quantised, from which it fits without anything around it."""
    begin = line_start(site.text, site.offset)
    step = LONGEST_LINE
    while step >= 1:
        start = begin + max(0, (site.offset - begin - step) // step * step)
        if _fits(site, start, wanted, tokenizer):
            return start
        step //= 2
    return site.offset


def _suffix(site: Site, tokens: int, tokenizer: Tokenizer) -> str:
    """Whole lines after the cursor that fit in ``tokens``, or a part of the first where even that does not."""
    if tokens < 1:
        return ""
    end, used = site.offset, 0
    while end < len(site.text):
        line_end = site.text.find("\n", end, end + LONGEST_LINE)
        stop = line_end + 1 if line_end >= 0 else min(len(site.text), end + LONGEST_LINE)
        cost = count_text(tokenizer, site.text[end:stop])
        if used + cost > tokens:
            break
        end, used = stop, used + cost
    if end > site.offset or end == len(site.text):
        return site.text[site.offset : end]
    size = LONGEST_LINE
    while size > 1 and count_text(tokenizer, site.text[end : end + size]) > tokens:
        size //= 2
    return site.text[end : end + size] if tokens > size // 2 else ""


def _outside_window(site: Site, head: int, tokens: int, tokenizer: Tokenizer) -> str:
    """Enclosing headers and imports that lie above the window, in the file's order, one a line, at most ``tokens``.

    The innermost headers come first in value, then the imports nearest to the file's head.
    """
    kept: dict[int, str] = {}
    for start, text in (*reversed(site.headers), *site.imports):
        if start >= head or start in kept:
            continue
        indent = site.text[line_start(site.text, start) : start]
        line = f"{indent if not indent.strip() else ''}{text}\n"
        tokens -= count_text(tokenizer, line)
        if tokens < 0:
            break
        kept[start] = line
    return "".join(kept[start] for start in sorted(kept))
