"""What clients send with our own methods and commands. Untrusted: whatever is wrong with it becomes one sentence."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

_LONGEST_TEXT = 200_000
_LONGEST_NAME = 4096

Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
Words = Annotated[str, Field(max_length=_LONGEST_TEXT)]


class Malformed(ValueError):
    """Parameters that make no sense; ``str()`` is one sentence."""


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class At(Wire):
    line: int = Field(ge=0)
    character: int = Field(ge=0)


class Range(Wire):
    start: At
    end: At


class Selection(Wire):
    """A part of a document, in the client's encoding; without ``range`` all of it. ``version``: where it is given, that
    of the document that the client means."""

    uri: Name
    range: Range | None = None
    version: int | None = None


class Reference(Wire):
    """A selection or a file by ``uri``, a file of the workspace by ``path``, or a definition by ``symbol``."""

    uri: Name | None = None
    range: Range | None = None
    path: Name | None = None
    symbol: Name | None = None


class Turn(Wire):
    """A question and its answer, as a client has kept them."""

    question: Words
    answer: Words


class Chat(Wire):
    """``codegemma/chat``. ``selection`` is what slash commands are about; ``history`` is what was said before in a
    conversation that the server does not know (any more), and has no meaning with ``conversation_id``."""

    text: Words
    conversation_id: Name | None = None
    history: Annotated[tuple[Turn, ...], Field(max_length=200)] = ()
    references: Annotated[tuple[Reference, ...], Field(max_length=16)] = ()
    selection: Selection | None = None
    partial_result_token: str | int | None = None


class Edit(Wire):
    """``codegemma/edit``, and the argument of commands. ``action`` is the name of a slash command."""

    uri: Name
    range: Range
    version: int | None = None
    action: Name = "edit"
    instruction: Words = ""
    diagnostics: tuple[Words, ...] = ()
    partial_result_token: str | int | None = None


class Folder(Wire):
    """The argument of ``codegemma.commit``."""

    uri: Name


class Forget(Wire):
    """``codegemma/forgetConversation``."""

    conversation_id: Name


W = TypeVar("W", bound=Wire)


def read(kind: type[W], value: Any) -> W:
    """Raises ``Malformed``."""
    try:
        return kind.model_validate({} if value is None else value)
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(to_camel(str(part)) for part in detail["loc"])
        raise Malformed(f"The parameter {where or 'object'} is wrong ({detail['msg'].lower()}).") from None
