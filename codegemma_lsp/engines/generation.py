"""Runs one request on a backend, from its first prompt token to its last generated one."""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Protocol

import numpy as np

from codegemma_lsp.engines.prompt_lookup import PromptLookup
from codegemma_lsp.engines.protocol import (
    EngineError,
    Finish,
    Generation,
    Priority,
    Progress,
    PromptTooLong,
    Request,
    Usage,
)
from codegemma_lsp.engines.sampling import Choice, Logits, choose
from codegemma_lsp.engines.slots import SavedState, Slot, Slots
from codegemma_lsp.engines.vocabulary import Vocabulary

log = logging.getLogger(__name__)

_AHEAD_BATCH = 32
"""The number of tokens that are prefilled at a time at a low priority. A more urgent request ends the batch, and its
tokens are lost."""


class Decoded(Enum):
    """Whether a batch was decoded."""

    DONE = auto()
    ABORTED = auto()


class Backend(Protocol):
    """A loaded model with a cache of several sequences, which one thread uses at a time."""

    @property
    def context_tokens(self) -> int:
        """Returns how many tokens one sequence can hold."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Returns how many tokens one ``decode`` may take."""
        ...

    @property
    def threads(self) -> int: ...

    @property
    def chat_template(self) -> str:
        """Returns the Jinja template in the model's metadata, or "" if there is none."""
        ...

    @property
    def prefill_speed(self) -> float:
        """Returns how many prompt tokens are prefilled in a second, as measured at load, or 0 if that was not
        measured."""
        ...

    @property
    def draft_cost(self) -> float:
        """Returns the time of each further token in a batch as a share of the time of a single token."""
        ...

    def decode(self, slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        """Decodes tokens into a slot from a position on, and keeps the logits of the last ``scored`` of them. Raises
        ``EngineFailed``."""
        ...

    def logits(self, back: int = 0) -> Logits:
        """Returns the logits of the token ``back`` before the last decoded one, of shape (vocabulary,).

        They are valid until the next ``decode``, and ``back`` must be less than the ``scored`` of the last call.
        """
        ...

    def trim(self, slot: int, length: int) -> int:
        """Drops what a slot holds from position ``length`` on, and returns how many tokens it then holds."""
        ...

    def save(self, slot: int) -> bytes | None:
        """Returns the state of a slot, which ``restore`` takes, or None if the backend cannot save it."""
        ...

    def restore(self, slot: int, data: bytes) -> bool:
        """Replaces what a slot holds by a saved state. Returns False if that failed, which leaves the slot empty."""
        ...

    def close(self) -> None: ...


class Generating:
    """One running request. It continues where ``request.progress`` stands, and leaves it so that a later run can
    continue.

    Drafts are guessed tokens that are decoded in one batch with the last chosen token. Those that equal the choice of
    the model are kept, and the others are dropped from the cache (Leviathan et al. 2023, arXiv:2211.17192, for greedy
    choice).
    """

    def __init__(
        self, request: Request, backend: Backend, vocabulary: Vocabulary, slots: Slots, stopped: Callable[[], bool]
    ) -> None:
        """Raises ``PromptTooLong``, ``ModelUnusable``."""
        self.request, self.backend, self.vocabulary, self.stopped = request, backend, vocabulary, stopped
        self.progress = request.progress or Progress()
        prompt = vocabulary.tokens(request.prompt)
        room = backend.context_tokens - len(prompt)
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {len(prompt)} tokens and the model's context {backend.context_tokens};"
                " shorten it, or raise contextTokens."
            )
        self.max_tokens = min(request.max_tokens, room)
        self.tokens = prompt + self.progress.tokens
        self.slots, self.pick = slots, slots.pick(self.tokens)
        self.slot = self.pick.slot
        self.cached = self._reusable(self.pick.shared)
        self.first: Logits | None = None
        """The logits after the prompt, if they are known without decoding its last token again."""
        self.usage = Usage(prompt_tokens=len(self.tokens), cached_tokens=self.cached)
        self.forced_prefix, self.decoder = (
            request.prompt.forced_prefix,
            codecs.getincrementaldecoder("utf-8")("replace"),
        )
        self.rng = np.random.default_rng(request.sampling.seed)
        self.lookup: PromptLookup | None = None
        self.ahead: list[int] = []
        """The guessed tokens that are in the cache after the last chosen one."""
        self._replay()

    def _reusable(self, shared: int) -> int:
        """Returns how many tokens need not be prefilled.

        The last one must be, because its logits choose the next token, unless they are known. Token healing requests
        the same prompt again with each key within a word.
        """
        length = len(self.tokens)
        known = shared >= length and length in self.slot.scores and self.pick.saved is None
        return length if known else min(shared, length - 1)

    def _replay(self) -> None:
        """Updates what depends on the tokens that were generated before."""
        for token in self.progress.tokens:
            self._spelled(self.vocabulary.piece(token))
        if self.request.sampling.temperature > 0:
            self.rng.random(len(self.progress.tokens))  # the choice of each token draws one number
        elif self.request.drafts:
            hint = self.vocabulary.encode(self.request.hint) if self.request.hint else []
            most = min(self.request.drafts, self.backend.batch_tokens - 1)
            self.lookup = PromptLookup(hint + self.tokens, most, self.backend.draft_cost)

    def generation(self, queued_at: float) -> Generation:
        """Runs the request. ``queued_at`` is a value of ``time.perf_counter``. Raises ``EngineFailed``."""
        started = time.perf_counter()
        self.usage = replace(self.usage, queue_ms=1000 * (started - queued_at))
        self._change_slots()
        cut_to(self.slot, self.backend, self.cached)
        self.cached = len(self.slot.tokens)
        self._prefill()
        read_at = time.perf_counter()
        self.usage = replace(self.usage, cached_tokens=self.cached, prefill_ms=1000 * (read_at - started))
        if self._given_up():
            return self._result(Finish.CANCELLED)
        finish = self._decode()
        if finish is not Finish.CANCELLED:
            self.progress.finish = finish
        self.usage = replace(self.usage, decode_ms=1000 * (time.perf_counter() - read_at))
        return self._result(finish)

    def _change_slots(self) -> None:
        """Saves the prompt that this one replaces, and restores the saved state that this one continues."""
        pick, slot = self.pick, self.slot
        if pick.worth_saving and self.slots.saves and (data := self.backend.save(slot.number)) is not None:
            self.slots.save(SavedState(list(slot.tokens), data))
        if pick.saved is not None:
            slot.cut(0)
            if self.backend.restore(slot.number, pick.saved.data):
                slot.tokens = list(pick.saved.tokens)
                self.slots.restored(pick.saved, self.cached)
            else:
                self.cached = 0

    def _result(self, finish: Finish) -> Generation:
        return as_generation(self.progress, finish, self.usage)

    def _prefill(self) -> None:
        at, read, late = self.cached, 0, 0
        size = self.backend.batch_tokens
        if self.request.priority > Priority.CHAT:
            size = min(size, _AHEAD_BATCH)
        while at < len(self.tokens) and not self.stopped():
            batch = self.tokens[at : at + size]
            done = self._read(batch)
            read += done
            late += done if self.stopped() else 0
            at += done
        self.usage = replace(self.usage, prefill_tokens=read, prefill_tokens_after_cancel=late)
        if at < len(self.tokens):
            return
        if not read:
            self.first = self.slot.scores.get(at)
        elif self.max_tokens:
            self.slot.keep_scores(at, self.backend.logits())

    def _read(self, batch: list[int], scored: int = 1) -> int:
        """Decodes tokens into the slot. Returns how many of them the cache holds, which is 0 if the batch was
        aborted."""
        before = len(self.slot.tokens)
        outcome = self.backend.decode(self.slot.number, batch, before, scored)
        if outcome is Decoded.DONE:
            self.slot.tokens += batch
            return len(batch)
        cut_to(self.slot, self.backend, before)
        return 0

    def _decode(self) -> Finish:
        while len(self.progress.tokens) < self.max_tokens:
            if self._given_up():
                self._keep_the_end()
                return Finish.CANCELLED
            choice = self._choose()
            finish = self._take(choice)
            if finish is not None:
                return finish
            if len(self.progress.tokens) < self.max_tokens and not self._advance(choice.token):
                return Finish.CANCELLED
        return Finish.LENGTH

    def _keep_the_end(self) -> None:
        """Keeps the logits after the last token, because a cancelled request may continue and then needs them."""
        if self.progress.tokens and self.first is None:
            self.slot.keep_scores(len(self.slot.tokens) - len(self.ahead), self.backend.logits(len(self.ahead)))

    def _given_up(self) -> bool:
        return self.stopped() or (self.request.given_up is not None and self.request.given_up())

    def _choose(self) -> Choice:
        logits, self.first = self.first if self.first is not None else self.backend.logits(len(self.ahead)), None
        candidates = self.vocabulary.candidates(self.forced_prefix) if self.forced_prefix else None
        if candidates is not None and not len(candidates):
            raise EngineError("The model's vocabulary cannot spell the text before the cursor; set heal to false.")
        return choose(logits, self.request.sampling, self.rng, candidates)

    def _take(self, choice: Choice) -> Finish | None:
        """Adds a token to what was generated. Returns why this ends the generation, or None if it does not."""
        self.progress.tokens.append(choice.token)
        self.usage = replace(self.usage, completion_tokens=self.usage.completion_tokens + 1)
        if choice.token in self.vocabulary.controls:
            return Finish.STOP_TOKEN
        piece = self.vocabulary.piece(choice.token)
        is_text = len(piece) > len(self.forced_prefix)
        new = self._spelled(piece)
        self.progress.text += new
        if is_text:
            self.progress.logprobs.append(choice.logprob)
            self.progress.ends.append(len(self.progress.text))
        return Finish.ON_TEXT if new and self._wants_to_stop() else None

    def _spelled(self, piece: bytes) -> str:
        """Returns what a piece adds to the text, without the part that belongs to the forced prefix."""
        spelled = min(len(self.forced_prefix), len(piece))
        self.forced_prefix = self.forced_prefix[spelled:]
        return self.decoder.decode(piece[spelled:])

    def _wants_to_stop(self) -> bool:
        """Returns whether ``on_text`` ends the generation. An error in it is not a failure of the engine, which need
        not be loaded again."""
        try:
            return self.request.on_text is not None and self.request.on_text(self.progress.text)
        except Exception as error:
            log.debug("a stop rule failed", exc_info=error)
            raise stop_failed(error) from error

    def _advance(self, token: int) -> bool:
        """Makes the logits after a chosen token the next to be used. Returns False if decoding it was aborted."""
        if self.lookup is not None:
            self.lookup.add(token)
        if self.ahead and self.ahead[0] == token:
            del self.ahead[0]
            self.usage = replace(self.usage, accepted_draft_tokens=self.usage.accepted_draft_tokens + 1)
            return True
        if self.ahead:
            cut_to(self.slot, self.backend, len(self.slot.tokens) - len(self.ahead))
        self.ahead = self._guess()
        self.usage = replace(self.usage, draft_tokens=self.usage.draft_tokens + len(self.ahead))
        return self._read([token, *self.ahead], 1 + len(self.ahead)) > 0

    def _guess(self) -> list[int]:
        """Returns a guess of the next tokens, no longer than the number of tokens that may still be generated."""
        if self.lookup is None or self.forced_prefix:
            return []
        return self.lookup.guess()[: max(0, self.max_tokens - len(self.progress.tokens) - 1)]


def stop_failed(error: Exception) -> EngineError:
    return EngineError(f"The end of the suggestion could not be told ({type(error).__name__}).")


def as_generation(progress: Progress, finish: Finish, usage: Usage) -> Generation:
    return Generation(
        text=progress.text, finish=finish, usage=usage, logprobs=tuple(progress.logprobs), ends=tuple(progress.ends)
    )


def cut_to(slot: Slot, backend: Backend, length: int) -> None:
    """Shortens a slot to the length that the cache reports, because some models can only drop everything."""
    slot.cut(min(length, backend.trim(slot.number, length)))
