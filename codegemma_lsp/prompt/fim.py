"""How infills are laid out, and which part of a document they show.

Sources: CodeGemma report (arXiv:2406.11409), section 2; Bavarian et al. 2022 (arXiv:2207.14255) for PSM and SPM.
``anchored`` is PSM whose middle is already begun: in distribution for any infilling model, and what is typed only ever
appends to it.
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
    other_files: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """Token counts. ``prompt`` is the most that the whole prompt may hold."""

    prompt: int
    suffix_share: float = 0.25
    middle: int = 256
    """Tokens between the anchor and the cursor beyond which the anchor moves up to the cursor's line."""
    head_step: int = 16
    """Lines in whose multiples the window's head moves."""


SPECIALS_IN_FIM = 4
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
    lead = _lead(site, budget, tokenizer)
    room = budget.prompt - SPECIALS_IN_FIM - count_tokens(lead, tokenizer)
    if room < 1:
        raise BudgetTooSmall(
            f"A prompt of {budget.prompt} tokens is too small for an infill; raise contextTokens or lower maxTokens."
        )
    frame = _kept_frame(site, layout, room, tokenizer, previous, budget) or _new_frame(site, room, budget, tokenizer)
    middle = site.text[frame.anchor : site.offset]
    prefix = frame.before if layout is Layout.ANCHORED else frame.before + middle
    tail = middle if layout is Layout.ANCHORED else prefix
    kept, spell = healed(tail, tokenizer) if heal else (tail, b"")
    if layout is Layout.ANCHORED:
        middle = kept
    else:
        prefix, middle = kept, ""
    before: tuple[Segment, ...] = (
        Special.FIM_PREFIX,
        *_texts((frame.outside, "headers and imports outside the window"), (prefix, "prefix")),
    )
    after: tuple[Segment, ...] = (Special.FIM_SUFFIX, *_texts((frame.suffix, "suffix")))
    body = (*after, *before) if layout is Layout.SPM else (*before, *after)
    begun: tuple[Segment, ...] = _texts((middle, "middle so far"))
    segments: tuple[Segment, ...] = (Special.BOS, *lead, *body, Special.FIM_MIDDLE, *begun)
    return Prompt(segments, count_tokens(segments, tokenizer), spell), frame


def before_suffix(prompt: Prompt) -> Prompt:
    """The part of an infill that prompts for places further down begin with: what is before the suffix; nothing where
    the suffix comes first. ``tokens`` stays that of the whole."""
    at = prompt.segments.index(Special.FIM_SUFFIX)
    kept = prompt.segments[:at] if Special.FIM_PREFIX in prompt.segments[:at] else ()
    return replace(prompt, segments=kept, spell=b"")


def _texts(*pairs: tuple[str, str]) -> tuple[Text, ...]:
    return tuple(Text(text, reason) for text, reason in pairs if text)


def _lead(site: Site, budget: Budget, tokenizer: Tokenizer) -> tuple[Segment, ...]:
    """Other files, then the path line, as long as they leave three quarters of the budget to the file itself."""
    left = budget.prompt // 4
    path = Text(f"{site.path}\n", "file path")
    lead: list[Segment] = []
    left -= count_text(tokenizer, path.text)
    if site.path and left >= 0:
        lead.append(path)
    for other in reversed(site.other_files):
        left -= count_text(tokenizer, other.text) + 1
        if left < 0:
            break
        lead[:0] = [other, Special.FILE_SEPARATOR]
    return tuple(lead)


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
