"""The layouts of infill prompts, and the part of a document that they show.

The sources are Bavarian et al. 2022 (arXiv:2207.14255) for PSM and SPM, and ``families`` for the form of each family.
``anchored`` is the family's first order with the middle already begun. It is in distribution for every infilling model,
and typing only appends to it. A family that cannot infill is prompted with the text before the cursor alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace

from codegemma_lsp.prompt.healing import healed
from codegemma_lsp.prompt.segments import (
    BudgetTooSmall,
    Family,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptWindow:
    """The part of the document that the previous prompt showed. It is kept as long as possible, so that typing appends.

    Offsets are code points. The window is ``text[head:cursor]``, followed by ``suffix``, which may reach ``to_the_end``
    of the text. ``anchor`` is the start of the middle: the start of a line, or of the last token of the line above
    (``Family.anchors_in_line``). ``before`` is ``text[head:anchor]``, which shows whether the document has changed.
    ``outside`` is the text before the window. It is kept too, because a half-typed line often hides the enclosing
    definitions from the parser, and to follow that would prefill the whole prompt again.
    """

    head: int
    anchor: int
    outside: str
    before: str
    suffix: str
    to_the_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorContext:
    """The text around a cursor and what the window may need from outside.

    ``imports`` and ``headers`` are (start, text) of the file's import statements and of the headers of the enclosing
    definitions. Those outside the window are put before it.
    """

    path: str
    text: str
    offset: int
    imports: tuple[tuple[int, str], ...] = ()
    headers: tuple[tuple[int, str], ...] = ()
    other_files: tuple[OtherFile, ...] = ()
    repository: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """A piece of another file that the model may see, and the reason why it is shown."""

    path: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of a prompt in tokens. ``prompt`` is the limit of the whole prompt."""

    prompt: int
    suffix_share: float = 0.25
    spare: float = 0.125
    """Share of the prefix's room that a new window leaves free, so that the window can stay while lines are added."""
    middle: int = 256
    """The number of tokens between the anchor and the cursor after which the anchor moves to the cursor's line."""
    head_step: int = 16
    """The window's first line is a multiple of this number of lines."""
    other_files: int | None = None
    """The limit of the pieces of other files together; None is a quarter of ``prompt`` less the file's own path."""


LONGEST_PIECE = 32
"""The number of code points of the longest tokens (runs of spaces). A text with more code points per token than this
need not be counted."""
LONGEST_LINE = 4_000
"""The number of code points of a line that are used on either side of the cursor. Longer lines are cut to multiples of
it."""


def build_fim(
    context: CursorContext,
    layout: Layout,
    budget: Budget,
    tokenizer: Tokenizer,
    heal: bool = True,
    previous: PromptWindow | None = None,
) -> tuple[Prompt, PromptWindow]:
    """Returns the infill prompt for a cursor, and the window to pass as ``previous`` for the next one in the same
    document.

    The token count is exact and at most ``budget.prompt``. Raises ``BudgetTooSmall`` if that is too little for the
    format itself.
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
    return Prompt(segments=segments, tokens=count_tokens(segments, tokenizer), forced_prefix=forced_prefix), window


def before_suffix(prompt: Prompt) -> Prompt:
    """Returns the part of an infill prompt before the suffix, which prompts for places further down share.

    It is empty if the suffix comes first. ``tokens`` stays that of the whole prompt.
    """
    at = prompt.segments.index(Special.FIM_SUFFIX) if Special.FIM_SUFFIX in prompt.segments else len(prompt.segments)
    shown = any(isinstance(segment, Text) and segment.reason == "prefix" for segment in prompt.segments[:at])
    return replace(prompt, segments=prompt.segments[:at] if shown else (), forced_prefix=b"")


def _prefix(lead: str, outside: str, prefix: str) -> tuple[Segment, ...]:
    """Returns the text before the cursor after the text outside the window. The lead is joined to the first of the
    two."""
    if outside:
        return _texts((lead + outside, "headers and imports outside the window"), (prefix, "prefix"))
    return _texts((lead + prefix, "prefix"))


def _texts(*pairs: tuple[str, str]) -> tuple[Text, ...]:
    return tuple(Text(text, reason) for text, reason in pairs if text)


def _opening(context: CursorContext, budget: Budget, tokenizer: Tokenizer) -> tuple[tuple[Segment, ...], str]:
    """Returns BOS, the other files and the name of this file, as far as the budget allows them, and the text with which
    the prefix begins."""
    family = tokenizer.family
    wanted = tokenizer.begins_with_bos if family.bos is None else family.bos
    bos: tuple[Segment, ...] = (Special.BOS,) if wanted else ()
    left = budget.prompt // 4
    heading = _filled(family.heading, "file path", path=context.path) if context.path else ()
    left -= count_tokens(heading, tokenizer)
    if left < 0:
        return bos, family.prefix_lead
    left = left if budget.other_files is None else budget.other_files
    files: list[Segment] = []
    # A family without a form for several files was not trained on them.
    for other in reversed(context.other_files if family.heading else ()):
        piece = _other_file(other, family)
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


def _other_file(other: OtherFile, family: Family) -> tuple[Segment, ...]:
    text = other.text if other.text.endswith("\n") else f"{other.text}\n"
    heading = _filled(family.heading, other.reason, path=other.path)
    return (*heading, *_texts((text, other.reason)), *_filled(family.joint, ""))


def other_file_tokens(other: OtherFile, tokenizer: Tokenizer) -> int:
    """Returns the number of tokens that a piece of another file takes in an infill prompt."""
    return count_tokens(_other_file(other, tokenizer.family), tokenizer)


def shows_other_files(family: Family) -> bool:
    """Returns whether models of a family were trained on several files in one prompt."""
    return bool(family.heading)


def _filled(template: tuple[Special | str, ...], reason: str, **names: str) -> tuple[Segment, ...]:
    """Returns a family's template with names filled in. Names are text and never become special tokens."""
    return tuple(part if isinstance(part, Special) else Text(part.format(**names), reason) for part in template)


def _kept_window(
    context: CursorContext, layout: Layout, room: int, tokenizer: Tokenizer, window: PromptWindow | None, budget: Budget
) -> PromptWindow | None:
    """Returns the previous window if it still matches this document and fits, or else None.

    The suffix may have changed. It is then taken again, which costs a prefill of the suffix and the middle.
    """
    if window is None or context.offset < window.anchor or _is_back_above(context, window):
        return None
    if context.text[window.head : window.anchor] != window.before:
        return None
    if context.offset - window.anchor > LONGEST_PIECE * room:
        return None
    middle = count_text(tokenizer, context.text[window.anchor : context.offset])
    if layout is Layout.ANCHORED and middle > min(budget.middle, int(budget.prompt * max(0.25, budget.spare))):
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


def _is_back_above(context: CursorContext, window: PromptWindow) -> bool:
    """Returns whether the cursor is in the line of which the middle has the last token (``Family.anchors_in_line``),
    and so too little to heal."""
    return window.head < window.anchor and line_start(context.text, context.offset) < window.anchor


def _new_window(context: CursorContext, room: int, budget: Budget, tokenizer: Tokenizer) -> PromptWindow:
    """Returns a window whose head leaves an eighth of the prefix's budget free, so that it can stay while lines are
    added."""
    suffix = _suffix(context, int(room * budget.suffix_share), tokenizer)
    free = room - count_text(tokenizer, suffix) - 1
    wanted = free - int(free * budget.spare)
    head = _head(context, wanted, budget.head_step, tokenizer)
    anchor = max(head, line_start(context.text, context.offset))
    if tokenizer.family.anchors_in_line:
        anchor = head + len(healed(context.text[head:anchor], tokenizer)[0])
    outside = _outside_window(context, head, wanted // 4, tokenizer)
    to_the_end = context.offset + len(suffix) == len(context.text)
    return PromptWindow(
        head=head,
        anchor=anchor,
        outside=outside,
        before=context.text[head:anchor],
        suffix=suffix,
        to_the_end=to_the_end,
    )


def _head(context: CursorContext, wanted: int, step: int, tokenizer: Tokenizer) -> int:
    """Returns the window's first offset: the lowest multiple of ``step`` lines from which the prefix fits."""
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
    """Returns the starts of the lines before the cursor, ascending, as far back as the budget could reach."""
    first = line_start(context.text, max(0, context.offset - budget_chars))
    return [first, *(m.end() for m in re.compile(r"\n").finditer(context.text, first, context.offset))]


def _cut_line(context: CursorContext, wanted: int, tokenizer: Tokenizer) -> int:
    """Returns a point within a line that is too long, quantized, from which the line fits without anything around
    it."""
    begin = line_start(context.text, context.offset)
    step = LONGEST_LINE
    while step >= 1:
        start = begin + max(0, (context.offset - begin - step) // step * step)
        if _fits(context, start, wanted, tokenizer):
            return start
        step //= 2
    return context.offset


def _suffix(context: CursorContext, tokens: int, tokenizer: Tokenizer) -> str:
    """Returns the whole lines after the cursor that fit in ``tokens``, or a part of the first one if that does not
    fit."""
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
    """Returns the enclosing headers and imports above the window, in the file's order, one per line, of at most
    ``tokens`` tokens.

    The innermost headers are preferred, then the imports nearest to the file's head.
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
