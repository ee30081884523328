"""The prompt for a model that cannot infill: what stands before the cursor, and nothing else."""

from __future__ import annotations

import re
from bisect import bisect_left

from codegemma_lsp.prompt.heal import healed
from codegemma_lsp.prompt.types import (
    BudgetTooSmall,
    Prompt,
    Segment,
    Special,
    Text,
    Tokenizer,
    count_tokens,
)


def build_prefix(prefix: str, tokens: int, tokenizer: Tokenizer) -> Prompt:
    """The last whole lines of a prefix that fit in ``tokens``, healed: such models' pieces often begin with the
    newline that the cursor cuts off. Raises ``BudgetTooSmall`` where not even the last line fits."""
    kept, spell = healed(prefix, tokenizer)
    bos: tuple[Segment, ...] = (Special.BOS,) if tokenizer.begins_with_bos else ()
    starts = [m.end() for m in re.finditer(r"^", kept, re.MULTILINE)]

    def segments(first: int) -> tuple[Segment, ...]:
        return (*bos, Text(kept[starts[first] :], "prefix"))

    first = bisect_left(range(len(starts)), True, key=lambda at: count_tokens(segments(at), tokenizer) <= tokens)
    if first == len(starts):
        raise BudgetTooSmall(f"The line before the cursor does not fit in {tokens} tokens; raise contextTokens.")
    return Prompt(segments(first), count_tokens(segments(first), tokenizer), spell)
