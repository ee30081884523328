"""What the server and the process that owns its engines say to each other, as JSON.

``call`` numbers what is asked. Every call is answered once, by ``Answered`` or ``Failed``. ``engine`` is the number of
the call that loaded an engine.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from codegemma_lsp.engines import protocol
from codegemma_lsp.prompt import Special


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class TextSegment(_Message):
    kind: Literal["text"] = "text"
    text: str


class MarkupSegment(_Message):
    kind: Literal["markup"] = "markup"
    text: str


class SpecialSegment(_Message):
    kind: Literal["special"] = "special"
    special: Special


AnySegment: TypeAlias = Annotated[TextSegment | MarkupSegment | SpecialSegment, Field(discriminator="kind")]


class SentPrompt(_Message):
    """A prompt without the reasons for its texts. ``forced_prefix`` is in hexadecimal digits."""

    segments: tuple[AnySegment, ...]
    tokens: int
    forced_prefix: str


class Written(_Message):
    """What was generated since the last message of a call: tokens, text and log-probabilities to be appended."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    ends: tuple[int, ...] = ()
    text: str = ""


class Load(_Message):
    """Asks for an engine. The answer is a ``Loaded``. ``settings`` are those of the model that was chosen."""

    kind: Literal["load"] = "load"
    call: int
    settings: dict[str, Any]


class Generate(_Message):
    """Asks for a generation. The answer is a ``Generated``. ``begun`` is what a continued generation has generated.

    ``watched`` and ``may_be_given_up`` say whether the server is to be asked after each token, and before it.
    """

    kind: Literal["generate"] = "generate"
    call: int
    engine: int
    prompt: SentPrompt
    max_tokens: int
    sampling: protocol.Sampling
    priority: int
    drafts: int
    hint: str
    begun: Written
    watched: bool
    may_be_given_up: bool


class Encode(_Message):
    """Asks for the tokens of each text, in which special tokens are recognised if it is ``markup``."""

    kind: Literal["encode"] = "encode"
    call: int
    engine: int
    texts: tuple[str, ...]
    markup: bool


class Unread(_Message):
    """Asks how many tokens of a prompt would have to be prefilled."""

    kind: Literal["unread"] = "unread"
    call: int
    engine: int
    prompt: SentPrompt


class Close(_Message):
    """Asks to close an engine. The answer is None."""

    kind: Literal["close"] = "close"
    call: int
    engine: int


class Ping(_Message):
    """Asks for a sign of life. The answer is None."""

    kind: Literal["ping"] = "ping"
    call: int


class Cancel(_Message):
    """Cancels a load or a generation, which is answered all the same."""

    kind: Literal["cancel"] = "cancel"
    call: int


class Verdict(_Message):
    """The server's answer to an ``Asked``: whether the generation ends, and whether its request is given up, which is
    then not asked again before the next token."""

    kind: Literal["verdict"] = "verdict"
    call: int
    stop: bool
    given_up: bool = False


class State(_Message):
    """What changes while an engine runs. ``usage`` is the sum over all its requests."""

    usage: protocol.Usage
    threads: int
    prefill_speed: float


class Loaded(_Message):
    """A loaded engine, with its vocabulary. ``pieces`` has a character from 0 to 255 for each byte of all pieces, and
    ``lengths`` the number of each one's bytes. ``family_texts`` and ``family_ids`` are those of a family of which the
    model's file tells."""

    name: str
    context_tokens: int
    chat_template: str
    state: State
    family: str
    family_texts: dict[Special, str]
    family_ids: dict[Special, int]
    begins_with_bos: bool
    goes_by_line: bool
    pieces: str
    lengths: tuple[int, ...]
    specials: dict[Special, int]
    names: dict[Special, str]


class Generated(_Message):
    """The end of a generation. ``is_done`` unless it was cancelled, and could continue."""

    written: Written
    finish: protocol.Finish
    is_done: bool
    usage: protocol.Usage
    state: State


class Loading(_Message):
    """How much of a model is loaded, as a share."""

    kind: Literal["loading"] = "loading"
    call: int
    share: float


class Asked(_Message):
    """Asks whether a generation is to end here: with ``given_up``, whether its request was given up, and else whether
    its text is complete."""

    kind: Literal["asked"] = "asked"
    call: int
    given_up: bool
    written: Written


class Answered(_Message):
    kind: Literal["answered"] = "answered"
    call: int
    result: Loaded | Generated | tuple[tuple[int, ...], ...] | int | None


class Failed(_Message):
    """A call raised an ``EngineError`` of this class."""

    kind: Literal["failed"] = "failed"
    call: int
    error: str
    message: str


ToProcess: TypeAlias = Load | Generate | Encode | Unread | Close | Ping | Cancel | Verdict
ToServer: TypeAlias = Loading | Asked | Answered | Failed
TO_PROCESS: TypeAdapter[ToProcess] = TypeAdapter(Annotated[ToProcess, Field(discriminator="kind")])
TO_SERVER: TypeAdapter[ToServer] = TypeAdapter(Annotated[ToServer, Field(discriminator="kind")])
