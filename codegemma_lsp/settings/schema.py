"""Every setting there is: one frozen model, and a parser that keeps what is right and names what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from codegemma_lsp.prompt import InfillFormat, Layout

SECTION = "codegemma"
"""Name of the settings' section in editors."""


class Popup(StrEnum):
    """Whether ``textDocument/completion`` answers too, for editors without inline completion."""

    OFF = "off"
    ON = "on"


class KvCache(StrEnum):
    """The numbers in which the KV cache is kept."""

    F16 = "f16"
    Q8_0 = "q8_0"


class Settings(BaseModel):
    """Editors write names in camelCase. Token counts are in the model's tokens, times in milliseconds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_enum_values=False
    )

    enabled: bool = Field(True, description="Suggest at all.")
    model: str = Field(
        "auto",
        min_length=1,
        description="Completion model: a name (`codegemma-lsp models list`), or the whole path of a GGUF file or"
        " Hugging Face folder; auto: what `codegemma-lsp models use` chose, else the best that is here.",
    )
    context_tokens: int = Field(
        2048, ge=256, le=131_072, description="Most tokens in one request, prompt and answer; at most the model's own."
    )
    max_tokens: int = Field(96, ge=1, le=2048, description="Most tokens in one suggestion.")
    slots: int = Field(
        4, ge=1, le=64, description="Prompts kept in the KV cache, so that files do not evict each other."
    )
    batch_tokens: int = Field(128, ge=8, le=2048, description="Prompt tokens read at a time.")
    threads: int = Field(
        0, ge=0, le=1024, description="Processor threads for generating; 0: as many as are fastest when loading."
    )
    batch_threads: int = Field(0, ge=0, le=1024, description="The same for reading a prompt, with a GGUF model.")
    gpu_layers: int = Field(-1, ge=-1, description="Layers on the GPU, where llama.cpp was built for one; -1: all.")
    kv_cache: KvCache = Field(
        KvCache.F16,
        description="Numbers in a GGUF model's KV cache; q8_0 takes half of f16's memory, and reads a little slower.",
    )
    infill_format: InfillFormat = Field(
        InfillFormat.AUTO,
        description="How the model is asked to infill: auto goes by its vocabulary and what its file says of itself.",
    )
    layout: Layout = Field(
        Layout.ANCHORED, description="How the infill is laid out: anchored, spm or psm. Only anchored never re-reads."
    )
    heal: bool = Field(True, description="Let the model respell the last piece before the cursor (token healing).")
    temperature: float = Field(0.0, ge=0, le=2, description="0 always picks the likeliest token.")
    seed: int = Field(0, ge=0, description="Repeats the same draws where temperature is above 0.")
    min_confidence: float = Field(
        -0.5,
        le=0,
        description="Mean log-probability (nats a token) under which a suggestion is shown only when asked for.",
    )
    debounce_ms: int = Field(
        300,
        ge=0,
        le=5000,
        description="Longest wait for the next keystroke while the model is slower than the typing; 0: never wait.",
    )
    join_stream: bool = Field(True, description="Go on with a suggestion begun before where it has been typed.")
    prefetch: bool = Field(True, description="Have ready what follows once the suggestion shown is accepted.")
    warm_up: bool = Field(True, description="Read the prompt ahead when a file is opened or the cursor rests.")
    drafts: int = Field(
        8, ge=0, le=64, description="Most tokens guessed from the text before and checked at once; 0: none."
    )
    early_stop: bool = Field(True, description="Stop the model as soon as the syntax says that the piece is complete.")
    window_step: int = Field(
        16, ge=1, le=1024, description="Lines by which the window's head moves; 1 re-reads the window with each line."
    )
    multiline: bool = Field(True, description="Suggest several lines where the syntax calls for them.")
    alternatives: int = Field(
        2, ge=0, le=8, description="Further suggestions to choose from where one is asked for by hand; 0: none."
    )
    popup: Popup = Field(
        Popup.OFF,
        description="Answer textDocument/completion too, for editors without ghost text; read when the server starts.",
    )
    disabled_languages: tuple[str, ...] = Field((), description="Language identifiers in which nothing is suggested.")
    chat_model: str = Field(
        "auto",
        min_length=1,
        description="Chat model: as model, of an instruct model; auto: what `codegemma-lsp models use --chat` chose,"
        " else CodeGemma 7B-IT, else the completion model where it can chat.",
    )
    chat_context_tokens: int = Field(
        4096, ge=512, le=131_072, description="Most tokens of one chat request, prompt and answer."
    )
    chat_max_tokens: int = Field(1024, ge=16, le=32_768, description="Most tokens in one answer or rewritten region.")
    chat_temperature: float = Field(0.0, ge=0, le=2, description="As temperature, for chat and edits.")
    chat_idle_minutes: float = Field(
        15, ge=0, description="Minutes after its last answer at which the chat model is let go; 0: never."
    )
    report_completions: bool = Field(
        False, description="Send codegemma/completed, with token counts and milliseconds, after each request."
    )


def section(raw: object) -> Mapping[str, Any]:
    """Our settings in what a client sent: the object itself, or what it holds under ``codegemma``; empty for null."""
    if not isinstance(raw, Mapping):
        return {} if raw is None else {"": raw}
    inner = raw.get(SECTION)
    return inner if isinstance(inner, Mapping) else raw


def parse(raw: object) -> tuple[Settings, tuple[str, ...]]:
    """Settings from what a client sent, and one sentence for each thing that was wrong and what is used instead.

    Accepts what ``section`` does; null values are as good as absent. Never raises.
    """
    given = {str(key): value for key, value in section(raw).items() if value is not None}
    if "" in given:
        return Settings(), (f"The settings are {_shown(given[''])} and not an object; the defaults are used.",)
    values, problems = sound(given)
    return Settings.model_validate(values), tuple(_sentence(problem) for problem in problems)


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that cannot be used: ``key`` as it was given; ``detail`` says why, or of an ``unknown`` one, what
    else may be meant. ``shown`` is the value, ``default`` what stands in for it."""

    key: str
    detail: str
    unknown: bool = False
    shown: str = ""
    default: str = ""


def sound(raw: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The settings in ``raw`` that are right, by field name, and what is wrong with the others. Never raises."""
    given = dict(raw)
    problems = []
    names = {field.alias or name: name for name, field in Settings.model_fields.items()}
    for key in [key for key in given if key not in names and key not in Settings.model_fields]:
        close = difflib.get_close_matches(key, names, n=1)
        shown = key if key.isidentifier() else _shown(key)
        problems.append(Problem(shown, f"did you mean {close[0]}?" if close else "it is ignored.", unknown=True))
        del given[key]
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        for detail in error.errors():
            key = str(detail["loc"][0])
            name = names.get(key, key)
            if given.pop(key, given.pop(name, None)) is not None:
                default = getattr(Settings(), name)
                shown_default = _shown(getattr(default, "value", default))
                problems.append(
                    Problem(key, detail["msg"].lower(), shown=_shown(detail["input"]), default=shown_default)
                )
        settings = Settings.model_validate(given)
    return settings.model_dump(include=settings.model_fields_set), tuple(problems)


def _sentence(problem: Problem) -> str:
    if problem.unknown:
        return f"There is no setting {problem.key}; {problem.detail}"
    return (
        f"The setting {problem.key} cannot be {problem.shown} ({problem.detail});"
        f" its default, {problem.default}, is used."
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
