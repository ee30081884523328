"""Reading and writing the marks that the tests put into source text."""

from __future__ import annotations

from codegemma_lsp.document import Edit, Span

CURSOR = "<CURSOR>"


def at_cursor(marked: str) -> tuple[str, int]:
    """The text without its ``<CURSOR>`` mark, and where the mark stood, in code points."""
    before, mark, after = marked.partition(CURSOR)
    assert mark, f"no {CURSOR} in {marked!r}"
    assert CURSOR not in after, f"two {CURSOR} in {marked!r}"
    return before + after, len(before)


def replaced(text: str, span: Span, new: str) -> str:
    """The text with ``new`` between ``⟦`` and ``⟧`` in place of ``span``."""
    return f"{text[: span.start]}⟦{new}⟧{text[span.end :]}"


def marked_spans(text: str, spans: tuple[Span, ...]) -> str:
    """The text with each of the disjoint ``spans``, in ascending order, between ``⟦`` and ``⟧``."""
    for span in reversed(spans):
        text = replaced(text, span, text[span.start : span.end])
    return text


def selection(marked: str) -> tuple[str, Span]:
    """The text without its marks, and what they select: what ``<SELECTED>`` and ``</SELECTED>`` enclose, or nothing at
    the ``<CURSOR>``."""
    if CURSOR in marked:
        text, offset = at_cursor(marked)
        return text, Span(offset, offset)
    before, selected, after = marked.replace("</SELECTED>", "<SELECTED>").split("<SELECTED>")
    return before + selected + after, Span(len(before), len(before) + len(selected))


def with_edits(text: str, edits: tuple[Edit, ...]) -> str:
    """The text after disjoint ``edits``, in ascending order, what each puts there between ``⟦`` and ``⟧``."""
    for edit in reversed(edits):
        text = replaced(text, edit.span, edit.text)
    return text
