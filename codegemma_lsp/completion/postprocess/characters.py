"""Removes characters that no suggestion may contain."""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]")


def printable(text: str, point: InsertionPoint) -> str:
    """Returns the text up to the first thing that no source contains: a control character, half of a code point, or the
    spelling of one of the model's special tokens, which the model may generate as ordinary text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _UNPRINTABLE.search(text)
    ends = [found.start()] if found else []
    ends += [at for special in point.specials if (at := text.find(special)) >= 0]
    return text[: min(ends, default=len(text))]
