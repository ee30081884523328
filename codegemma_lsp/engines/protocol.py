"""The interface of every engine, and the errors that it may raise. Engines know prompts, but neither documents nor
LSP."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from codegemma_lsp.prompt import InfillFormat, Prompt, Tokenizer
from codegemma_lsp.settings import KvCache


class EngineError(Exception):
    """An error that the user can act on. ``str()`` is one sentence that says what failed, why, and what to do."""


class ModelNotFound(EngineError):
    """There is no file or folder at the model's path."""


class ModelUnusable(EngineError):
    """The file exists, but holds no model that this engine can run."""


class LoadCancelled(EngineError):
    """Loading was cancelled, because the model is no longer needed."""


class EngineUnavailable(EngineError):
    """No engine is loaded, and the status says why."""


class ServerFailed(EngineError):
    """The server that runs the model gave no answer. The next request is asked again."""


class PromptTooLong(EngineError):
    """The prompt does not fit in the model's context."""


class EngineFailed(EngineError):
    """The engine failed while it ran, or was closed. A new one must be loaded."""


class SharedProcessEnded(EngineFailed):
    """The process has ended whose engines several windows share. That process counts which model ended it."""


class Priority(IntEnum):
    """The order of requests: a lower number runs first, also before requests on other engines of the same machine.

    A ``CHAT`` request pauses, even within a batch, while a completion runs. A ``PREFETCH`` or ``WARM_UP`` request is
    cancelled as soon as one with a lower number arrives.
    """

    COMPLETION = 0
    CHAT = 1
    PREFETCH = 2
    WARM_UP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are chosen. At ``temperature`` 0, the best token is taken. Otherwise one of the ``top_k`` best within
    ``top_p`` is sampled, with ``seed``, so that equal requests give equal results."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an engine is loaded.

    ``batch_tokens`` is the number of prompt tokens that are prefilled at a time; a cancelled batch must be repeated.
    ``threads`` are the processor threads for generation and ``batch_threads`` those for prefill. 0 means the number
    that was fastest when the model was loaded, or half of the processors for transformers. ``saved_mb`` is how many
    megabytes of prompts that left the cache are kept at most. ``adapter`` is a GGUF file with a LoRA adapter.
    """

    context_tokens: int = 2048
    slots: int = 4
    batch_tokens: int = 128
    threads: int = 0
    batch_threads: int = 0
    infill_format: InfillFormat = InfillFormat.AUTO
    kv_cache: KvCache = KvCache.F16
    saved_mb: int = 0
    gpu_layers: int = -1
    adapter: Path | None = None


OnProgress: TypeAlias = Callable[[float], bool]
"""Called in the loading thread with shares from 0 to 1. Loading is cancelled if it returns False."""

OnFailure: TypeAlias = Callable[[EngineFailed], None]
"""Called in some thread when an engine has failed while nobody asked it anything."""

OnText: TypeAlias = Callable[[str], bool]
"""Called in the engine's thread with the whole text so far, after each token that adds to it. Generation ends if it
returns True."""


GivenUp: TypeAlias = Callable[[], bool]
"""Called in the engine's thread after the prefill and before each token. The request is cancelled if it returns
True."""


class Finish(StrEnum):
    """Why generation ended."""

    STOP_TOKEN = "stop_token"
    LENGTH = "length"
    ON_TEXT = "on_text"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Progress:
    """The state of a generation. The engine's thread writes it; other threads may read ``text`` and ``finish``."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    text: str = ""
    finish: Finish | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One generation.

    ``max_tokens`` counts generated tokens, including those that spell ``prompt.forced_prefix``; 0 only prefills the
    prompt. ``drafts`` is how many tokens may be guessed at a time, from the text so far and from ``hint``. If a request
    with ``progress`` was cancelled, the next request with the same ``progress`` continues there.
    """

    prompt: Prompt
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    priority: Priority = Priority.COMPLETION
    on_text: OnText | None = None
    given_up: GivenUp | None = None
    drafts: int = 0
    hint: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts and milliseconds.

    ``prompt_tokens == cached_tokens + prefill_tokens``, unless the request was cancelled during the prefill. If a
    generation is continued, the tokens that were generated before belong to the prompt. ``accepted_draft_tokens``
    counts the ``draft_tokens`` that were right. ``prefill_tokens_after_cancel`` counts the tokens that were prefilled
    after the cancellation.
    """

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
    """Returns the sum of each field."""
    all_ = list(usages)
    return Usage(**{field.name: sum(getattr(usage, field.name) for usage in all_) for field in fields(Usage)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The result of a request.

    ``text`` excludes the forced prefix. ``logprobs`` (in nats) has one entry for each generated token that adds text,
    and ``ends`` has the offset in ``text`` at which that token ends.
    """

    text: str
    finish: Finish
    usage: Usage
    logprobs: tuple[float, ...] = ()
    ends: tuple[int, ...] = ()

    def mean_logprob(self, start: int = 0) -> float:
        """Returns the mean log-probability, in nats, of the tokens that reach beyond ``start`` in the text. It is 0 if
        there are none."""
        left = self.logprobs[bisect_right(self.ends, start) :] if start else self.logprobs
        return sum(left) / len(left) if left else 0.0


class Engine(Protocol):
    """A loaded model. Cancelling the task that awaits ``generate`` stops the model within one small batch."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int:
        """Returns how many tokens, prompt and generated together, one request may hold at most."""
        ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def usage(self) -> Usage:
        """Returns the sums over all requests since the model was loaded, including cancelled ones."""
        ...

    @property
    def threads(self) -> int:
        """Returns how many processor threads it computes with."""
        ...

    @property
    def chat_template(self) -> str:
        """Returns the Jinja template in the model's metadata, or "" if there is none."""
        ...

    @property
    def prefill_speed(self) -> float:
        """Returns how many prompt tokens it prefills in a second, or 0 if that is not known."""
        ...

    def unread(self, prompt: Prompt) -> int:
        """Returns how many tokens of a prompt are neither in the cache nor saved, so that they would have to be
        prefilled.

        It may be called from any thread, and is then possibly a little out of date. Raises ``ModelUnusable``.
        """
        ...

    @property
    def idle(self) -> bool:
        """Returns whether no request runs and none waits."""
        ...

    async def generate(self, request: Request) -> Generation:
        """Returns the answer to a request. Raises ``PromptTooLong``, ``ModelUnusable``, ``EngineFailed``."""
        ...

    def close(self) -> None:
        """Stops the running request and frees the model. Later calls of ``generate`` raise ``EngineFailed``, and a
        second call of ``close`` does nothing."""
        ...
