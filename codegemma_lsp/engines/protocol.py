"""What every engine offers, and the errors it may raise. Engines know prompts; they know no documents and no LSP."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

from codegemma_lsp.prompt import InfillFormat, Prompt, Tokenizer
from codegemma_lsp.settings import KvCache


class EngineError(Exception):
    """Something the user can act on; ``str()`` is one sentence that says what failed, why, and what to do."""


class ModelNotFound(EngineError):
    """There is no file where the model should be."""


class ModelUnusable(EngineError):
    """The file is there and is no model that this engine can run."""


class LoadCancelled(EngineError):
    """Loading was given up because nobody wants the model any more."""


class EngineUnavailable(EngineError):
    """No engine is loaded, and the status says why."""


class PromptTooLong(EngineError):
    """The prompt does not fit in the model's context."""


class EngineFailed(EngineError):
    """The engine broke while it ran, or was closed; a new one has to be loaded."""


class Priority(IntEnum):
    """Lower runs first, also on other engines of the same machine. ``CHAT`` waits in the midst of a batch; from
    ``PREFETCH`` on, a request is given up as soon as one of a lower number comes."""

    COMPLETION = 0
    CHAT = 1
    PREFETCH = 2
    WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Sampling:
    """Greedy at ``temperature`` 0; otherwise drawn from the ``top_k`` best within ``top_p``, repeatably by ``seed``."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """``batch_tokens``: prompt tokens read at a time; a batch that is cancelled is read again. ``threads`` are for
    generating, ``batch_threads`` for reading a prompt, each 0: as many as were the fastest when the model was loaded,
    with transformers half of the processors."""

    context_tokens: int = 2048
    slots: int = 4
    batch_tokens: int = 128
    threads: int = 0
    batch_threads: int = 0
    infill_format: InfillFormat = InfillFormat.AUTO
    kv_cache: KvCache = KvCache.F16
    gpu_layers: int = -1


OnProgress: TypeAlias = Callable[[float], bool]
"""Called in the loading thread with shares from 0 to 1; False gives loading up."""

OnText: TypeAlias = Callable[[str], bool]
"""Called in the engine's thread with all the text so far, after each token that adds some; True ends generation."""


class Finish(StrEnum):
    """Why generation ended."""

    STOP_TOKEN = "stop_token"
    LENGTH = "length"
    ON_TEXT = "on_text"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Progress:
    """How far a generation has come. The engine writes it in its thread; others may read ``text`` and ``finish``."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    text: str = ""
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One generation. ``max_tokens`` counts generated tokens, those that spell ``prompt.forced_prefix`` included; 0
    only reads the prompt. ``drafts`` is the most tokens guessed at a time, from the text so far and from ``hint``.
    Where a request with a ``progress`` was cancelled, the same one goes on from there."""

    prompt: Prompt
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    priority: Priority = Priority.COMPLETION
    on_text: OnText | None = None
    drafts: int = 0
    hint: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts and milliseconds. ``prompt_tokens == cached_tokens + prefill_tokens``, unless the request was
    cancelled during prefill. Where a generation is resumed, what was generated before belongs to the prompt. Of the
    ``draft_tokens``, the ``accepted_draft_tokens`` were right. ``prefill_tokens_after_cancel`` were still read after
    the cancellation."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    prefill_tokens: int = 0
    completion_tokens: int = 0
    draft_tokens: int = 0
    accepted_draft_tokens: int = 0
    prefill_tokens_after_cancel: int = 0
    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


def total(usages: Iterable[Usage]) -> Usage:
    """Field by field."""
    rows = [astuple(usage) for usage in usages]
    return Usage(*map(sum, zip(*rows, strict=True))) if rows else Usage()


@dataclass(frozen=True, slots=True)
class Generation:
    """``text`` excludes what was spelled; ``logprobs`` (nats) has one entry for each generated token that is text, and
    ``ends`` where in ``text`` that token ends."""

    text: str
    finish: Finish
    usage: Usage
    logprobs: tuple[float, ...] = ()
    ends: tuple[int, ...] = ()

    def mean_logprob(self, start: int = 0) -> float:
        """Nats a token, of the tokens that reach beyond ``start`` in the text; 0 where there are none."""
        left = self.logprobs[bisect_right(self.ends, start) :] if start else self.logprobs
        return sum(left) / len(left) if left else 0.0


class Engine(Protocol):
    """A loaded model. Cancelling the task that awaits ``generate`` stops the model within one small batch."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int:
        """Most tokens, prompt and generated together, that one request may hold."""
        ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def usage(self) -> Usage:
        """Sums over all that was done since it was loaded, what was cancelled included."""
        ...

    @property
    def threads(self) -> int:
        """Processor threads that it computes with."""
        ...

    @property
    def chat_template(self) -> str:
        """The Jinja template in the model's metadata; "" where there is none."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        ...

    async def generate(self, request: Request) -> Generation:
        """Raises ``PromptTooLong``, ``EngineFailed``."""
        ...

    def close(self) -> None:
        """Stops what runs and frees the model; later calls of ``generate`` raise ``EngineFailed``. Idempotent."""
        ...
