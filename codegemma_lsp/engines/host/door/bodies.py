"""What requests may ask. Fields that are not known are ignored, as other servers do."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from codegemma_lsp.engines.protocol import Sampling

_MOST_TOKENS = 131_072
_MOST_STOPS = 16


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else [] if value is None else value


_Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
_Stop: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]
Stops: TypeAlias = Annotated[list[_Stop], BeforeValidator(_as_list), Field(max_length=_MOST_STOPS)]
Ids: TypeAlias = Annotated[list[Annotated[int, Field(ge=0, strict=True)]], Field(max_length=_MOST_TOKENS)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: _Name


class StreamOptions(BaseModel):
    """What a stream has besides the text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    include_usage: bool = False


class _Generating(_Body):
    max_tokens: int | None = Field(None, ge=0, le=_MOST_TOKENS)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=_MOST_TOKENS)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: Stops = []
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1, None] = None

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self) -> Sampling:
        """Returns how tokens are chosen: as OpenAI's interface does by default, at temperature 1, anew each time."""
        return Sampling(
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=0 if self.top_k is None else self.top_k,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=secrets.randbits(31) if self.seed is None else self.seed,
        )


class Completion(_Generating):
    """The body of ``/v1/completions``. The prompt is a text, in which special tokens are recognised, or token ids."""

    prompt: str | Ids
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: Literal[False, None] = None
    suffix: Literal["", None] = None


class TextPart(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class Chat(_Generating):
    """The body of ``/v1/chat/completions``. With ``continue_final_message``, the last message is how the answer
    begins."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    max_completion_tokens: int | None = Field(None, ge=0, le=_MOST_TOKENS)
    continue_final_message: bool = False


class Tokenize(_Body):
    """The body of ``/tokenize``."""

    prompt: str
    add_special_tokens: bool = True


class Detokenize(_Body):
    """The body of ``/detokenize``."""

    tokens: Ids
