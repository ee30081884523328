"""Helpers for texts and sequences. Offsets are code points in texts, and bytes in byte strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def line_start(text: str, offset: int) -> int:
    """Returns the start of the line that ``offset`` is in."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Returns the end of the line that ``offset`` is in, before its line end."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def indentation(line: str) -> str:
    """Returns the blanks and tabs at the start of a line."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def shortened(text: str, most: int) -> str:
    """Returns a text of at most ``most`` code points, with dots in the place of its middle if it is longer."""
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[:half]} … {text[len(text) - half :]}"


def common_prefix_length(a: Sequence[T], b: Sequence[T]) -> int:
    """Returns the length of the longest common prefix. It uses bisection, because comparing slices is faster than
    comparing items."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix_length(a: Sequence[T], b: Sequence[T], limit: int) -> int:
    """Returns the length of the longest common suffix, at most ``limit``."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
