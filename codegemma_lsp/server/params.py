"""The parameters of this server's methods and commands. They are untrusted: the first problem becomes one sentence."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from codegemma_lsp.document import Encoding

_LONGEST_TEXT = 200_000
_LONGEST_NAME = 4096
_LONGEST_DEFINITION = 20_000

Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
Words = Annotated[str, Field(max_length=_LONGEST_TEXT)]


class MalformedParams(ValueError):
    """Invalid parameters. ``str()`` is one sentence."""


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class PositionParams(Params):
    line: int = Field(ge=0)
    character: int = Field(ge=0)


class RangeParams(Params):
    start: PositionParams
    end: PositionParams


class SelectionParams(Params):
    """A part of a document in the client's encoding, or all of it without ``range``. ``version``, if given, is the
    document version that the client means."""

    uri: Name
    range: RangeParams | None = None
    version: int | None = None


class ReferenceParams(Params):
    """A selection or a file by ``uri``, a file of the workspace by ``path``, or a definition by ``symbol``."""

    uri: Name | None = None
    range: RangeParams | None = None
    path: Name | None = None
    symbol: Name | None = None


class TurnParams(Params):
    """A question and its answer, as a client has stored them."""

    question: Words
    answer: Words


class ChatParams(Params):
    """The parameters of ``codegemma/chat``.

    ``selection`` is what slash commands are about. ``history`` is the earlier part of a conversation that the server
    does not know, or no longer knows; it is ignored with ``conversation_id``.
    """

    text: Words
    conversation_id: Name | None = None
    history: Annotated[tuple[TurnParams, ...], Field(max_length=200)] = ()
    references: Annotated[tuple[ReferenceParams, ...], Field(max_length=16)] = ()
    selection: SelectionParams | None = None
    partial_result_token: str | int | None = None


class EditParams(Params):
    """The parameters of ``codegemma/edit``, and the argument of commands. ``action`` is the name of a slash command."""

    uri: Name
    range: RangeParams
    version: int | None = None
    action: Name = "edit"
    instruction: Words = ""
    diagnostics: tuple[Words, ...] = ()
    partial_result_token: str | int | None = None


class ApplyCodeParams(Params):
    """The parameters of ``codegemma/applyCode``."""

    uri: Name
    range: RangeParams
    version: int | None = None
    code: Words


class CommitParams(Params):
    """The argument of ``codegemma.commit``."""

    uri: Name


class ForgetParams(Params):
    """The parameters of ``codegemma/forgetConversation``."""

    conversation_id: Name


class DefinitionParams(Params):
    """A definition in the answer to ``codegemma/definitions``, by its ``range`` or its ``text``. ``encoding`` is the
    unit of the range if it is not the negotiated one."""

    uri: Name
    range: RangeParams | None = None
    encoding: Encoding | None = None
    text: Annotated[str, Field(max_length=_LONGEST_DEFINITION)] | None = None


class UseModelParams(Params):
    """The parameters of ``codegemma/useModel``. With ``chat``, the model is for chat and edits, otherwise for
    completion."""

    name: Name
    chat: bool = False


class PullModelParams(Params):
    """The parameters of ``codegemma/pullModel``."""

    name: Name
    work_done_token: str | int | None = None


W = TypeVar("W", bound=Params)


def read_params(kind: type[W], value: Any) -> W:
    """Returns the validated parameters. Raises ``MalformedParams``."""
    try:
        return kind.model_validate({} if value is None else value)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(to_camel(str(part)) for part in detail["loc"])
        raise MalformedParams(f"The parameter {where or 'object'} is wrong ({detail['msg'].lower()}).") from None
