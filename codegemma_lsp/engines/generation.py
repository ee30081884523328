"""One request on a backend, from its first prompt token to its last generated one."""

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
from codegemma_lsp.engines.protocol import EngineError, Finish, Generation, Progress, PromptTooLong, Request, Usage
from codegemma_lsp.engines.sampling import Choice, Logits, choose
from codegemma_lsp.engines.slots import Slot, Slots
from codegemma_lsp.engines.vocabulary import Vocabulary

log = logging.getLogger(__name__)


class Decoded(Enum):
    """What became of a batch."""

    DONE = auto()
    ABORTED = auto()


class Backend(Protocol):
    """A loaded model with a cache of several sequences, used by one thread at a time."""

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence can hold."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Most tokens of one ``decode``."""
        ...

    @property
    def threads(self) -> int: ...

    @property
    def chat_template(self) -> str:
        """The Jinja template in the model's metadata; "" where there is none."""
        ...

    @property
    def draft_cost(self) -> float:
        """Time of a further token in a batch, as a share of the time of a token on its own."""
        ...

    def decode(self, slot: int, tokens: Sequence[int], position: int, scored: int = 1) -> Decoded:
        """Reads tokens into a slot from a position on, and keeps the logits of the last ``scored`` of them. Raises
        ``EngineFailed``."""
        ...

    def logits(self, back: int = 0) -> Logits:
        """Scores of the token ``back`` before the last one read, shape (vocabulary,), valid until the next ``decode``;
        ``back`` is less than that call's ``scored``."""
        ...

    def trim(self, slot: int, length: int) -> int:
        """Drops what a slot holds from position ``length`` on, and returns how many tokens it holds then."""
        ...

    def close(self) -> None: ...


class Generating:
    """One request that runs. Goes on where ``request.progress`` stands, and leaves it where a later run can go on.

    Drafts: guessed tokens are read in one batch with the last chosen one; those that are what would have been chosen
    are kept, the others dropped from the cache (Leviathan et al. 2023, arXiv:2211.17192, for greedy choice).
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
        self.slot, shared = slots.pick(self.tokens)
        # The last token is always read: its logits choose the next one.
        self.cached = min(shared, len(self.tokens) - 1)
        self.usage = Usage(prompt_tokens=len(self.tokens), cached_tokens=self.cached)
        self.forced_prefix, self.decoder = (
            request.prompt.forced_prefix,
            codecs.getincrementaldecoder("utf-8")("replace"),
        )
        self.rng = np.random.default_rng(request.sampling.seed)
        self.lookup: PromptLookup | None = None
        self.ahead: list[int] = []
        """Guessed tokens in the cache behind the last chosen one."""
        self._replay()

    def _replay(self) -> None:
        """Brings what depends on the tokens generated before to where they end."""
        for token in self.progress.tokens:
            self._spelled(self.vocabulary.piece(token))
        if self.request.sampling.temperature > 0:
            self.rng.random(len(self.progress.tokens))  # choosing a token draws one number
        elif self.request.drafts:
            hint = self.vocabulary.encode(self.request.hint) if self.request.hint else []
            most = min(self.request.drafts, self.backend.batch_tokens - 1)
            self.lookup = PromptLookup(hint + self.tokens, most, self.backend.draft_cost)

    def generation(self, queued_at: float) -> Generation:
        """``queued_at``: by ``time.perf_counter``. Raises ``EngineFailed``."""
        started = time.perf_counter()
        self.usage = replace(self.usage, queue_ms=1000 * (started - queued_at))
        cut_to(self.slot, self.backend, self.cached)
        self.cached = len(self.slot.tokens)
        self._prefill()
        read_at = time.perf_counter()
        self.usage = replace(self.usage, cached_tokens=self.cached, prefill_ms=1000 * (read_at - started))
        if self.stopped():
            return self._result(Finish.CANCELLED)
        finish = self._decode()
        if finish is not Finish.CANCELLED:
            self.progress.finish = finish
        self.usage = replace(self.usage, decode_ms=1000 * (time.perf_counter() - read_at))
        return self._result(finish)

    def _result(self, finish: Finish) -> Generation:
        return as_generation(self.progress, finish, self.usage)

    def _prefill(self) -> None:
        at, read, late = self.cached, 0, 0
        while at < len(self.tokens) and not self.stopped():
            batch = self.tokens[at : at + self.backend.batch_tokens]
            done = self._read(batch)
            read += done
            late += done if self.stopped() else 0
            at += done
        self.usage = replace(self.usage, prefill_tokens=read, prefill_tokens_after_cancel=late)

    def _read(self, batch: list[int], scored: int = 1) -> int:
        """Reads tokens into the slot; returns how many the cache holds of them, fewer where it was aborted."""
        before = len(self.slot.tokens)
        outcome = self.backend.decode(self.slot.number, batch, before, scored)
        if outcome is Decoded.DONE:
            self.slot.tokens += batch
            return len(batch)
        cut_to(self.slot, self.backend, before)
        return 0

    def _decode(self) -> Finish:
        while len(self.progress.tokens) < self.max_tokens:
            if self.stopped():
                return Finish.CANCELLED
            choice = self._choose()
            finish = self._take(choice)
            if finish is not None:
                return finish
            if len(self.progress.tokens) < self.max_tokens and not self._advance(choice.token):
                return Finish.CANCELLED
        return Finish.LENGTH

    def _choose(self) -> Choice:
        logits = self.backend.logits(len(self.ahead))
        candidates = self.vocabulary.candidates(self.forced_prefix) if self.forced_prefix else None
        if candidates is not None and not len(candidates):
            raise EngineError("The model's vocabulary cannot spell the text before the cursor; set heal to false.")
        return choose(logits, self.request.sampling, self.rng, candidates)

    def _take(self, choice: Choice) -> Finish | None:
        """Adds a token to what was generated, and says whether that ends it."""
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
        """What a piece adds to the text, once the part that was left to spell is off."""
        spelled = min(len(self.forced_prefix), len(piece))
        self.forced_prefix = self.forced_prefix[spelled:]
        return self.decoder.decode(piece[spelled:])

    def _wants_to_stop(self) -> bool:
        """A mistake in a stop rule is not the engine's: loading it again would not help."""
        try:
            return self.request.on_text is not None and self.request.on_text(self.progress.text)
        except Exception as error:
            log.debug("a stop rule failed", exc_info=error)
            raise EngineError(f"The end of the suggestion could not be told ({type(error).__name__}).") from error

    def _advance(self, token: int) -> bool:
        """Makes the logits after a chosen token the next to look at; False where reading it was aborted."""
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
        """What may follow, as far as it may be generated at all."""
        if self.lookup is None or self.forced_prefix:
            return []
        return self.lookup.guess()[: max(0, self.max_tokens - len(self.progress.tokens) - 1)]


def as_generation(progress: Progress, finish: Finish, usage: Usage) -> Generation:
    return Generation(progress.text, finish, usage, tuple(progress.logprobs), tuple(progress.ends))


def cut_to(slot: Slot, backend: Backend, length: int) -> None:
    """Shortens a slot, and believes the cache about what is left: some models can only drop everything."""
    held = backend.trim(slot.number, length)
    del slot.tokens[min(length, held) :]
