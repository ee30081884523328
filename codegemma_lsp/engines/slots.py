"""Which cached sequence a prompt continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from codegemma_lsp.text import common_prefix_length


@dataclass
class Slot:
    """One sequence of the KV cache: the tokens it holds, and when it was last used."""

    number: int
    tokens: list[int] = field(default_factory=list)
    used_at: int = 0


class Slots:
    """Picks by longest common prefix, else the least recently used, so that two files do not evict each other."""

    def __init__(self, count: int) -> None:
        self.all = [Slot(number) for number in range(count)]
        self._clock = 0

    def pick(self, tokens: Sequence[int]) -> tuple[Slot, int]:
        """The slot to use for a prompt, and how many of its tokens are already there.

        A slot is continued where it shares at least half of what it holds or half of the prompt: a smaller overlap
        (the file's path, its imports) is worth less than the other prompt that it would cost.
        """
        self._clock += 1
        shared = {slot.number: common_prefix_length(slot.tokens, tokens) for slot in self.all}
        best = max(self.all, key=lambda slot: (shared[slot.number], slot.used_at))
        if 2 * shared[best.number] < min(len(best.tokens), len(tokens)):
            best = min(self.all, key=lambda slot: (bool(slot.tokens), slot.used_at))
        best.used_at = self._clock
        return best, shared[best.number]
