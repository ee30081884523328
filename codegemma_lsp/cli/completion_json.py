"""The JSON that ``complete --json`` prints. ``docs/complete.schema.json`` is generated from these models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from codegemma_lsp.completion import Explanation, Outcome
from codegemma_lsp.document import Document, Encoding

SCHEMA = "complete.schema.json"


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class JsonPosition(_Part):
    line: int = Field(description="Counted from 0.")
    character: int = Field(description="Counted from 0, in UTF-16 code units.")


class JsonRange(_Part):
    start: JsonPosition
    end: JsonPosition


class JsonItem(_Part):
    insert_text: str = Field(description="The text that replaces the range.")
    range: JsonRange


class JsonTokens(_Part):
    prompt: int = Field(0, description="Tokens of the prompt.")
    cached: int = Field(0, description="Tokens of the prompt that the model had processed before.")
    completion: int = Field(0, description="Tokens that the model generated.")


class JsonSegment(_Part):
    kind: Literal["text", "special"]
    text: str = Field(description="The text, or the special token as it is spelled.")
    tokens: int
    why: str = Field(description="Why the segment is in the prompt.")


class JsonPiece(_Part):
    path: str = Field(description="The file, relative to its workspace folder.")
    source: str = Field(description="What found the piece.")
    tokens: int
    why: str = Field(description="What the piece is for.")
    left_out: str | None = Field(description="Why the prompt does not show it; null if it does.")


class JsonPrompt(_Part):
    family: str = Field(description="The infill format.")
    tokens: int
    forced_prefix: str = Field(description="Text with which the completion has to begin (token healing).")
    segments: list[JsonSegment]
    quiet: str | None = Field(description="Why nothing is shown there while the user types; null if something may be.")
    pieces: list[JsonPiece] = Field(description="The pieces of other files that were found, the taken ones first.")


class JsonResult(_Part):
    """What is suggested at one position. codegemma-lsp complete --json prints one such object per line, in the order of
    the positions."""

    path: str = Field(description="The file as it was named; - is standard input without --path.")
    line: int = Field(description="Counted from 1.")
    column: int = Field(description="Counted from 1, in Unicode code points.")
    items: list[JsonItem] = Field([], description="The suggestion; empty if there is none.")
    reason: str | None = Field(None, description="Why nothing is suggested; null if something is.")
    error: str | None = Field(None, description="Why the position could not be completed; null if it could.")
    tokens: JsonTokens = JsonTokens()
    ms: dict[str, float] = Field({}, description="Milliseconds by stage; total is the sum that a user waits for.")
    prompt: JsonPrompt | None = Field(None, description="The prompt with --explain, which generates nothing.")


def schema() -> dict[str, Any]:
    """Returns the JSON schema of ``JsonResult``."""
    return JsonResult.model_json_schema(mode="serialization")


def items(document: Document, outcome: Outcome) -> list[JsonItem]:
    """Returns the suggestion with its range as in LSP, or no item."""
    if outcome.suggestion is None:
        return []
    span = outcome.suggestion.span
    ends = [document.position(offset, Encoding.UTF16) for offset in (span.start, span.end)]
    start, end = (JsonPosition(line=p.line, character=p.character) for p in ends)
    return [JsonItem(insert_text=outcome.suggestion.text, range=JsonRange(start=start, end=end))]


def tokens(outcome: Outcome) -> JsonTokens:
    usage = outcome.usage
    return JsonTokens(prompt=usage.prompt_tokens, cached=usage.cached_tokens, completion=usage.completion_tokens)


def prompt(explained: Explanation) -> JsonPrompt:
    """Returns the prompt segment by segment, with the token count and the reason of each."""
    return JsonPrompt(
        family=explained.family,
        tokens=explained.tokens,
        forced_prefix=explained.forced_prefix,
        quiet=explained.quiet or None,
        segments=[
            JsonSegment(kind="special" if one.is_special else "text", text=one.text, tokens=one.tokens, why=one.why)
            for one in explained.segments
        ],
        pieces=[
            JsonPiece(path=one.path, source=one.source, tokens=one.tokens, why=one.why, left_out=one.left_out or None)
            for one in explained.pieces
        ],
    )
