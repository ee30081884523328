"""What several packages ask of texts and sequences. Offsets are code points; of bytes, bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def line_start(text: str, offset: int) -> int:
    """Start of the line that ``offset`` is in."""
    return text.rfind("\n", 0, offset) + 1


def indentation(line: str) -> str:
    """The blanks and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def common_prefix_length(a: Sequence[T], b: Sequence[T]) -> int:
    """Length of the longest common prefix, by bisection: comparing slices is faster than comparing items."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix_length(a: Sequence[T], b: Sequence[T], limit: int) -> int:
    """Length of the longest common suffix, at most ``limit``."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
