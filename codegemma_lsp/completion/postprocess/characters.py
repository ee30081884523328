"""Characters that no suggestion may hold."""

from __future__ import annotations

import re

from codegemma_lsp.completion.postprocess.insertion_point import InsertionPoint

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd]")


def printable(text: str, point: InsertionPoint) -> str:
    """Up to the first that no source has: a control character, half of a code point, or what spells one of the model's
    special tokens, which it may copy letter by letter."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _UNPRINTABLE.search(text)
    ends = [found.start()] if found else []
    ends += [at for special in point.specials if (at := text.find(special)) >= 0]
    return text[: min(ends, default=len(text))]
