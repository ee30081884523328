"""Decides which cached sequence a prompt continues, and which evicted sequences are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from codegemma_lsp.engines.sampling import Logits
from codegemma_lsp.text import common_prefix_length

_WORTH_SAVING = 64
"""The number of tokens from which the state of a sequence is saved. Fewer are prefilled again in no noticeable time."""
_SCORES_KEPT = 2
"""The number of logits that are kept for each slot: those after the prompt, where the next key may continue, and those
after the generated text."""


@dataclass
class Slot:
    """One sequence of the KV cache, with the tokens that it holds and when it was last used. ``scores`` maps a number
    of tokens to the logits that follow them, as far as they are still known."""

    number: int
    tokens: list[int] = field(default_factory=list)
    used_at: int = 0
    scores: dict[int, Logits] = field(default_factory=dict)

    def keep_scores(self, length: int, logits: Logits) -> None:
        self.scores.pop(length, None)
        while len(self.scores) >= _SCORES_KEPT:
            del self.scores[next(iter(self.scores))]
        self.scores[length] = np.array(logits, copy=True)

    def cut(self, length: int) -> None:
        """Drops what follows the first ``length`` tokens."""
        del self.tokens[length:]
        self.scores = {at: logits for at, logits in self.scores.items() if at <= length}


@dataclass(frozen=True, slots=True)
class SavedState:
    """A sequence that left the cache, in the backend's format. ``tokens`` is never changed."""

    tokens: list[int]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The slot for a prompt, and how many of the prompt's tokens it holds.

    ``worth_saving`` means that the slot holds another prompt, which this one replaces. ``saved`` is a saved state that
    holds more of the prompt than any slot: ``shared`` tokens of it.
    """

    slot: Slot
    shared: int
    worth_saving: bool = False
    saved: SavedState | None = None


class Slots:
    """Chooses slots by the longest common prefix, or else the least recently used, so that two files do not evict each
    other.

    Evicted sequences are kept in memory, up to ``saved_bytes``. One thread writes; other threads may call ``known``.
    """

    def __init__(self, count: int, saved_bytes: int = 0) -> None:
        self.all = [Slot(number) for number in range(count)]
        self._clock = 0
        self._saved_bytes = saved_bytes
        self._saved: tuple[SavedState, ...] = ()
        """The saved states. The most recently used one is the last."""

    def pick(self, tokens: Sequence[int]) -> Pick:
        """Returns the slot to use for a prompt.

        A slot is continued if the shared tokens are at least half of what it holds or half of the prompt. A smaller
        overlap, such as the file's path and its imports, is worth less than the other prompt that would be lost.
        """
        self._clock += 1
        shared = {slot.number: common_prefix_length(slot.tokens, tokens) for slot in self.all}
        best = max(self.all, key=lambda slot: (shared[slot.number], slot.used_at))
        takes_over = 2 * shared[best.number] < min(len(best.tokens), len(tokens))
        if takes_over:
            best = min(self.all, key=lambda slot: (bool(slot.tokens), slot.used_at))
        best.used_at = self._clock
        held = shared[best.number]
        saved = max(self._saved, key=lambda state: common_prefix_length(state.tokens, tokens), default=None)
        there = common_prefix_length(saved.tokens, tokens) if saved is not None else 0
        worth_saving = takes_over and len(best.tokens) - held >= _WORTH_SAVING
        if there >= held + _WORTH_SAVING:
            return Pick(slot=best, shared=there, worth_saving=worth_saving, saved=saved)
        return Pick(slot=best, shared=held, worth_saving=worth_saving)

    def known(self, tokens: Sequence[int]) -> int:
        """Returns how many tokens of a prompt need not be prefilled. The number may be out of date while another thread
        works."""
        held = [common_prefix_length(slot.tokens, tokens) for slot in self.all]
        return max([*held, *(common_prefix_length(state.tokens, tokens) for state in self._saved)])

    @property
    def saves(self) -> bool:
        return self._saved_bytes > 0

    def save(self, state: SavedState) -> None:
        """Saves a state in place of those that are prefixes of it, and drops the oldest ones beyond the limit."""
        kept = [one for one in self._saved if state.tokens[: len(one.tokens)] != one.tokens]
        kept.append(state)
        while sum(len(one.data) for one in kept) > self._saved_bytes:
            del kept[0]
        self._saved = tuple(kept)

    def restored(self, state: SavedState, shared: int) -> None:
        """Notes that a state is in a slot again, of which ``shared`` tokens stay. The saved state is kept unless its
        own prompt continues in the slot, because other prompts only share its beginning, such as the file's imports."""
        if 2 * shared >= len(state.tokens):
            self._saved = tuple(one for one in self._saved if one is not state)
