"""The prompt for a model that cannot infill: what stands before the cursor, and nothing else."""

from __future__ import annotations

from codegemma_lsp.prompt.heal import healed
from codegemma_lsp.prompt.types import (
    FIM_STOPS,
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
    lines = kept.splitlines(keepends=True)
    bos: tuple[Segment, ...] = (Special.BOS,) if tokenizer.begins_with_bos else ()
    while True:
        segments = (*bos, Text("".join(lines), "prefix"))
        count = count_tokens(segments, tokenizer)
        if count <= tokens:
            return Prompt(segments, FIM_STOPS, count, spell)
        if len(lines) < 2:
            raise BudgetTooSmall(f"The line before the cursor does not fit in {tokens} tokens; raise contextTokens.")
        del lines[0]
