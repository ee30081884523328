"""How infills are laid out, and which part of a document they show.

Sources: Bavarian et al. 2022 (arXiv:2207.14255) for PSM and SPM; for each family's own form, ``families``. ``anchored``
is the family's first order with its middle already begun: in distribution for any infilling model, and what is typed
only ever appends to it. A family that cannot infill is asked with the text before the cursor alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace

from codegemma_lsp.prompt.healing import healed
from codegemma_lsp.prompt.segments import (
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
from codegemma_lsp.text import line_start


@dataclass(frozen=True, slots=True)
class PromptWindow:
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
class CursorContext:
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
    context: CursorContext,
    layout: Layout,
    budget: Budget,
    tokenizer: Tokenizer,
    heal: bool = True,
    previous: PromptWindow | None = None,
) -> tuple[Prompt, PromptWindow]:
    """The infill prompt for a cursor, and the window to pass as ``previous`` for the next one in the same document.

    The token count is exact and at most ``budget.prompt``; raises ``BudgetTooSmall`` where that is too little for
    the format itself.
    """
    family = tokenizer.family
    order = family.order(layout)
    opening, lead = _opening(context, budget, tokenizer)
    fixed = sum(isinstance(part, Special) for part in order) + count_text(tokenizer, lead)
    room = budget.prompt - fixed - count_tokens(opening, tokenizer)
    if room < 1:
        raise BudgetTooSmall(
            f"A prompt of {budget.prompt} tokens is too small for an infill; raise contextTokens or lower maxTokens."
        )
    if Slot.SUFFIX not in order:
        budget = replace(budget, suffix_share=0)
    window = _kept_window(context, layout, room, tokenizer, previous, budget) or _new_window(
        context, room, budget, tokenizer
    )
    middle = context.text[window.anchor : context.offset]
    prefix = window.before if layout is Layout.ANCHORED else window.before + middle
    tail = middle if layout is Layout.ANCHORED else prefix
    kept, forced_prefix = healed(tail, tokenizer) if heal else (tail, b"")
    if layout is Layout.ANCHORED:
        middle = kept
    else:
        prefix, middle = kept, ""
    shown: dict[Slot, tuple[Segment, ...]] = {
        Slot.PREFIX: _prefix(lead, window.outside, prefix),
        Slot.SUFFIX: _texts((window.suffix, "suffix")),
    }
    body = [segment for part in order for segment in (shown[part] if isinstance(part, Slot) else (part,))]
    segments: tuple[Segment, ...] = (*opening, *body, *_texts((middle, "middle so far")))
    return Prompt(segments, count_tokens(segments, tokenizer), forced_prefix), window


def before_suffix(prompt: Prompt) -> Prompt:
    """The part of an infill that prompts for places further down begin with: what is before the suffix; nothing where
    the suffix comes first. ``tokens`` stays that of the whole."""
    at = prompt.segments.index(Special.FIM_SUFFIX) if Special.FIM_SUFFIX in prompt.segments else len(prompt.segments)
    shown = any(isinstance(segment, Text) and segment.reason == "prefix" for segment in prompt.segments[:at])
    return replace(prompt, segments=prompt.segments[:at] if shown else (), forced_prefix=b"")


def _prefix(lead: str, outside: str, prefix: str) -> tuple[Segment, ...]:
    """The text before the cursor, below what was put before the window; the lead is joined to whichever is first."""
    if outside:
        return _texts((lead + outside, "headers and imports outside the window"), (prefix, "prefix"))
    return _texts((lead + prefix, "prefix"))


def _texts(*pairs: tuple[str, str]) -> tuple[Text, ...]:
    return tuple(Text(text, reason) for text, reason in pairs if text)


def _opening(context: CursorContext, budget: Budget, tokenizer: Tokenizer) -> tuple[tuple[Segment, ...], str]:
    """BOS, other files and the name of this one, as long as they leave three quarters of the budget to its text; and
    what the prefix begins with."""
    family = tokenizer.family
    wanted = tokenizer.begins_with_bos if family.bos is None else family.bos
    bos: tuple[Segment, ...] = (Special.BOS,) if wanted else ()
    left = budget.prompt // 4
    heading = _filled(family.heading, "file path", path=context.path) if context.path else ()
    left -= count_tokens(heading, tokenizer)
    if left < 0:
        return bos, family.prefix_lead
    files: list[Segment] = []
    # A family without a form for several files was not trained on them.
    for other in reversed(context.other_files if family.heading else ()):
        text = other.text if other.text.endswith("\n") else f"{other.text}\n"
        piece = (*_filled(family.heading, other.reason, path=other.path), *_texts((text, other.reason)))
        piece = (*piece, *_filled(family.joint, ""))
        left -= count_tokens(piece, tokenizer)
        if left < 0:
            break
        files[:0] = piece
    if not files and not family.names_single_file:
        return bos, family.prefix_lead
    repository = (
        _filled(family.repository, "repository", name=context.repository) if files and context.repository else ()
    )
    lead = family.prefix_lead
    if family.path_in_prefix:
        lead += "".join(part.text for part in heading if isinstance(part, Text))
        heading = tuple(part for part in heading if isinstance(part, Special))
    return (*bos, *repository, *files, *heading), lead


def _filled(template: tuple[Special | str, ...], reason: str, **names: str) -> tuple[Segment, ...]:
    """A family's template with its names put in; they are text and never become special tokens."""
    return tuple(part if isinstance(part, Special) else Text(part.format(**names), reason) for part in template)


def _kept_window(
    context: CursorContext, layout: Layout, room: int, tokenizer: Tokenizer, window: PromptWindow | None, budget: Budget
) -> PromptWindow | None:
    """The previous window where it still shows this document and fits; else None.

    The suffix may have changed: it then is taken anew, which costs reading it and the middle again.
    """
    if window is None or context.offset < window.anchor:
        return None
    if context.text[window.head : window.anchor] != window.before:
        return None
    if context.offset - window.anchor > LONGEST_PIECE * room:
        return None
    middle = count_text(tokenizer, context.text[window.anchor : context.offset])
    if layout is Layout.ANCHORED and middle > min(budget.middle, budget.prompt // 4):
        return None
    suffix = window.suffix
    to_the_end = context.offset + len(suffix) == len(context.text)
    if not context.text.startswith(suffix, context.offset) or window.to_the_end != to_the_end:
        suffix = _suffix(context, int(room * budget.suffix_share), tokenizer)
    used = (
        count_text(tokenizer, window.outside)
        + middle
        + count_text(tokenizer, window.before)
        + count_text(tokenizer, suffix)
        + 1
    )
    if used > room:
        return None
    return replace(window, suffix=suffix, to_the_end=context.offset + len(suffix) == len(context.text))


def _new_window(context: CursorContext, room: int, budget: Budget, tokenizer: Tokenizer) -> PromptWindow:
    """A window whose head leaves an eighth of the prefix's room free, so that it can stay while lines are added."""
    suffix = _suffix(context, int(room * budget.suffix_share), tokenizer)
    free = room - count_text(tokenizer, suffix) - 1
    wanted = free - free // 8
    head = _head(context, wanted, budget.head_step, tokenizer)
    anchor = max(head, line_start(context.text, context.offset))
    outside = _outside_window(context, head, wanted // 4, tokenizer)
    to_the_end = context.offset + len(suffix) == len(context.text)
    return PromptWindow(head, anchor, outside, context.text[head:anchor], suffix, to_the_end)


def _head(context: CursorContext, wanted: int, step: int, tokenizer: Tokenizer) -> int:
    """The window's first offset: the lowest multiple of ``step`` lines from which the prefix fits."""
    starts = _line_starts_before(context, budget_chars=wanted * 16)
    lines_above = context.text.count("\n", 0, starts[0])
    marks = [s for i, s in enumerate(starts) if (lines_above + i) % step == 0]
    marks = sorted({*marks, *starts[-step:]})
    first = bisect_left(marks, True, key=lambda start: _fits(context, start, wanted, tokenizer))
    return marks[first] if first < len(marks) else _cut_line(context, wanted, tokenizer)


def _fits(context: CursorContext, head: int, tokens: int, tokenizer: Tokenizer) -> bool:
    if context.offset - head > LONGEST_PIECE * tokens:
        return False
    outside = _outside_window(context, head, tokens // 4, tokenizer)
    return count_text(tokenizer, outside) + count_text(tokenizer, context.text[head : context.offset]) <= tokens


def _line_starts_before(context: CursorContext, budget_chars: int) -> list[int]:
    """Starts of the lines before the cursor, ascending, as far back as the budget could possibly reach."""
    first = line_start(context.text, max(0, context.offset - budget_chars))
    return [first, *(m.end() for m in re.compile(r"\n").finditer(context.text, first, context.offset))]


def _cut_line(context: CursorContext, wanted: int, tokenizer: Tokenizer) -> int:
    """For a line too long to fit: a point within it, quantised, from which it fits without anything around it."""
    begin = line_start(context.text, context.offset)
    step = LONGEST_LINE
    while step >= 1:
        start = begin + max(0, (context.offset - begin - step) // step * step)
        if _fits(context, start, wanted, tokenizer):
            return start
        step //= 2
    return context.offset


def _suffix(context: CursorContext, tokens: int, tokenizer: Tokenizer) -> str:
    """Whole lines after the cursor that fit in ``tokens``, or a part of the first where even that does not."""
    if tokens < 1:
        return ""
    end, used = context.offset, 0
    while end < len(context.text):
        line_end = context.text.find("\n", end, end + LONGEST_LINE)
        stop = line_end + 1 if line_end >= 0 else min(len(context.text), end + LONGEST_LINE)
        cost = count_text(tokenizer, context.text[end:stop])
        if used + cost > tokens:
            break
        end, used = stop, used + cost
    if end > context.offset or end == len(context.text):
        return context.text[context.offset : end]
    size = LONGEST_LINE
    while size > 1 and count_text(tokenizer, context.text[end : end + size]) > tokens:
        size //= 2
    return context.text[end : end + size] if tokens > size // 2 else ""


def _outside_window(context: CursorContext, head: int, tokens: int, tokenizer: Tokenizer) -> str:
    """Enclosing headers and imports that lie above the window, in the file's order, one a line, at most ``tokens``.

    The innermost headers come first in value, then the imports nearest to the file's head.
    """
    kept: dict[int, str] = {}
    for start, text in (*reversed(context.headers), *context.imports):
        if start >= head or start in kept:
            continue
        indent = context.text[line_start(context.text, start) : start]
        line = f"{indent if not indent.strip() else ''}{text}\n"
        tokens -= count_text(tokenizer, line)
        if tokens < 0:
            break
        kept[start] = line
    return "".join(kept[start] for start in sorted(kept))
