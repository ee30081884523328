"""A document as LSP describes it, by somebody who knows neither line indexes nor codecs."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

from codegemma_lsp.document import Encoding


def reference_lines(text: str) -> list[str]:
    """The lines with their breaks, as LSP 3.17 counts them."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
    return lines if lines and not lines[-1].endswith(("\r", "\n")) else [*lines, ""]


def reference_offset(lines: list[str], line: int, character: int, encoding: Encoding) -> int:
    """The offset in code points of a position in a text of these lines, which is clamped to the line and the text."""
    if line >= len(lines):
        return sum(map(len, lines))
    content = lines[line].rstrip("\r\n")
    ends = list(accumulate(_units(ord(one), encoding) for one in content))
    return sum(map(len, lines[:line])) + bisect_right(ends, character)


def _units(code: int, encoding: Encoding) -> int:
    """How many units a code point takes (Unicode 16, tables 3-5 and 3-6)."""
    if encoding is Encoding.UTF8:
        return 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)
    return 1 + (encoding is Encoding.UTF16 and code >= 0x10000)
