"""Reading and writing the marks that the tests put into source text."""

from __future__ import annotations

CURSOR = "<CURSOR>"


def at_cursor(marked: str) -> tuple[str, int]:
    """The text without its ``<CURSOR>`` mark, and where the mark stood, in code points."""
    before, mark, after = marked.partition(CURSOR)
    assert mark, f"no {CURSOR} in {marked!r}"
    assert CURSOR not in after, f"two {CURSOR} in {marked!r}"
    return before + after, len(before)
