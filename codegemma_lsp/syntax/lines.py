"""What several rules ask of a line."""

from __future__ import annotations


def indentation(line: str) -> str:
    """The blanks and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]
