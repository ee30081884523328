"""All settings: one frozen model, and a parser that keeps valid values and reports the others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from codegemma_lsp.prompt import InfillFormat, Layout

SECTION = "codegemma"
"""The name of the settings section in editors."""


class Popup(StrEnum):
    """Whether ``textDocument/completion`` is answered too, for editors without inline completion."""

    OFF = "off"
    ON = "on"


class OtherFilesFrom(StrEnum):
    """Where pieces of other files come from."""

    NOWHERE = "off"
    WORKSPACE = "workspace"
    ALL = "all"


class KvCache(StrEnum):
    """The number format of the KV cache."""

    F16 = "f16"
    Q8_0 = "q8_0"


def whole_path(text: str) -> str:
    """Returns an absolute path, in which ``~`` is the user's folder. Raises ``ValueError`` for what is none."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no folder {text.split('/')[0]}") from None
    if not path.is_absolute() or "\0" in text:
        raise ValueError(f"{text!r} is no absolute path")
    return str(path)


class Settings(BaseModel):
    """The settings. Editors write their names in camelCase. Tokens are those of the model."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_enum_values=False
    )

    enabled: bool = Field(True, description="Whether anything is suggested.")
    model: str = Field(
        "auto",
        min_length=1,
        description="Completion model: a name from `codegemma-lsp models list`, the absolute path of a GGUF file or of"
        " a folder in Hugging Face format, or `http://127.0.0.1:8080#name` for a model of a server with OpenAI's"
        " interface. `auto` takes the model that `codegemma-lsp models use` set, or else the"
        " best installed one.",
    )
    adapter: str = Field(
        "",
        description="LoRA adapter of the completion model: the absolute path of a GGUF file. On a server with OpenAI's"
        " interface, an adapter is a model with a name of its own.",
    )
    adapters: dict[str, str] = Field(
        {},
        description="Adapters by the absolute path of a folder, in place of `adapter`, for workspaces in the folder.",
    )
    allow_plain_http: bool = Field(
        False,
        description="Send prompts, and the key, unencrypted to a model's server on another machine, where its address"
        " begins with `http://`.",
    )
    share_model: bool = Field(
        True,
        description="Load each model once for all windows of yours on this machine, in one process that they share."
        " The process is started by the first window, and frees a model five minutes after the last window that uses"
        " it has left. If it is false, and on Windows, each window has its own.",
    )
    context_tokens: int = Field(
        2048,
        ge=256,
        le=131_072,
        description="Maximum number of tokens in one request, prompt and completion together. The model's own context"
        " size is an upper limit.",
    )
    max_tokens: int = Field(96, ge=1, le=2048, description="Maximum number of tokens in one suggestion.")
    slots: int = Field(
        4,
        ge=1,
        le=64,
        description="Number of prompts kept in the KV cache, so that files do not evict each other.",
    )
    saved_prompts_mb: int = Field(
        256,
        ge=0,
        le=65_536,
        description="Most memory, in megabytes, for prompts that left the KV cache; 0 keeps none.",
    )
    other_files: OtherFilesFrom = Field(
        OtherFilesFrom.ALL,
        description="Show the model pieces of other files where they help: of the workspace's own (`workspace`), of"
        " installed packages too (`all`), or none (`off`).",
    )
    other_files_tokens: int = Field(
        480,
        ge=0,
        le=65_536,
        description="Maximum number of tokens for pieces of other files, at most half of the prompt.",
    )
    other_files_exclude: tuple[str, ...] = Field(
        (),
        description="Files and folders of which the prompts of other files show nothing, as patterns of `.gitignore`.",
    )
    first_window_ms: int = Field(
        1000,
        ge=0,
        le=60_000,
        description="Longest time to read for the first suggestion in a place, at the measured speed; the rest of the"
        " window is read while nobody types. 0 always reads the whole window first.",
    )
    batch_tokens: int = Field(
        128, ge=8, le=2048, description="Prefill batch size; cancellation is checked between batches."
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="CPU threads for generation. 0 takes the number that was fastest when the model was loaded.",
    )
    batch_threads: int = Field(
        0, ge=0, le=1024, description="CPU threads for prefill with a GGUF model. 0 is as for `threads`."
    )
    gpu_layers: int = Field(
        -1,
        ge=-1,
        description="Number of layers on the GPU, if llama.cpp was built with GPU support. -1 takes all layers.",
    )
    kv_cache: KvCache = Field(
        KvCache.F16,
        description="Number format of a GGUF model's KV cache. `q8_0` takes about half the memory of `f16`, and its"
        " prefill is slightly slower.",
    )
    infill_format: InfillFormat = Field(
        InfillFormat.AUTO,
        description="Infill format of the model. `auto` detects it from the vocabulary and the file's metadata.",
    )
    layout: Layout = Field(
        Layout.ANCHORED,
        description="Order of the parts of an infill prompt: `anchored`, `spm` or `psm`. Only `anchored` never"
        " prefills the same text twice while you type.",
    )
    heal: bool = Field(True, description="Let the model choose the last token before the cursor again (token healing).")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature. 0 takes the most likely token.")
    seed: int = Field(0, ge=0, description="Seed for sampling, used if the temperature is above 0.")
    min_confidence: float = Field(
        -0.5,
        le=0,
        description="Minimum mean log-probability (in nats per token) of a suggestion. Suggestions below it are shown"
        " only if you ask for one.",
    )
    answer_within_ms: int = Field(
        250,
        ge=0,
        le=10_000,
        description="Time after which a request is answered with what is written by then, while the model goes on;"
        " 0: always wait for the whole.",
    )
    linger_ms: int = Field(
        500,
        ge=0,
        le=10_000,
        description="How long the model goes on after its request was cancelled, in case what is typed next agrees.",
    )
    debounce_ms: int = Field(
        0,
        ge=0,
        le=5000,
        description="Maximum time in milliseconds to wait for the next keystroke while the model is slower than your"
        " typing. 0 disables waiting.",
    )
    join_stream: bool = Field(
        True, description="Continue a running suggestion if you type its beginning, instead of starting again."
    )
    prefetch: bool = Field(True, description="Compute what follows a suggestion before you accept it.")
    warm_up: bool = Field(True, description="Prefill the prompt when a file is opened or the cursor rests.")
    drafts: int = Field(
        8,
        ge=0,
        le=64,
        description="Maximum number of tokens that prompt lookup drafts for one batch. 0 disables drafts.",
    )
    early_stop: bool = Field(True, description="Stop generation as soon as the syntax tree shows a complete piece.")
    window_step: int = Field(
        16,
        ge=1,
        le=1024,
        description="Number of lines by which the first line of the prompt moves. With 1, every new line costs a"
        " prefill of the whole window.",
    )
    multiline: bool = Field(True, description="Suggest several lines where the syntax asks for them.")
    alternatives: int = Field(
        2, ge=0, le=8, description="Number of further suggestions when you ask for one. 0 disables them."
    )
    popup: Popup = Field(
        Popup.OFF,
        description="Also answer `textDocument/completion`, for editors without ghost text. Takes effect when the"
        " server starts.",
    )
    disabled_languages: tuple[str, ...] = Field((), description="Language identifiers for which nothing is suggested.")
    chat_model: str = Field(
        "auto",
        min_length=1,
        description="Chat model, in the same form as `model`. `auto` takes the model that `codegemma-lsp models use"
        " --chat` set, or else CodeGemma 7B-IT, or else the completion model if it can chat.",
    )
    chat_context_tokens: int = Field(
        4096,
        ge=512,
        le=131_072,
        description="Maximum number of tokens in one chat request, prompt and answer together.",
    )
    chat_max_tokens: int = Field(
        1024, ge=16, le=32_768, description="Maximum number of tokens in one chat answer or one rewritten region."
    )
    chat_temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature of chat and edits.")
    chat_idle_minutes: float = Field(
        15,
        ge=0,
        description="Minutes after its last answer at which the chat model is unloaded. 0 keeps it loaded.",
    )
    usage: bool = Field(
        True,
        description="Count what became of suggestions, for `codegemma-lsp stats`. The counts stay on this machine, and"
        " hold neither code nor paths.",
    )
    report_completions: bool = Field(
        False,
        description="Send `codegemma/completed` with token counts and times after each completion request.",
    )

    @field_validator("other_files_exclude")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                GitIgnoreSpec.from_lines([pattern])
            except (ValueError, re.error):
                raise ValueError(f"{pattern!r} is no pattern of .gitignore") from None
        return patterns

    @field_validator("adapter")
    @classmethod
    def _is_whole_path(cls, path: str) -> str:
        return whole_path(path) if path else path

    @field_validator("adapters")
    @classmethod
    def _are_whole_paths(cls, adapters: dict[str, str]) -> dict[str, str]:
        return {whole_path(folder): whole_path(adapter) for folder, adapter in adapters.items()}


def section(raw: object) -> Mapping[str, Any]:
    """Returns the settings in a client's value: the value itself, or its member ``codegemma``. Null is an empty
    section."""
    if not isinstance(raw, Mapping):
        return {} if raw is None else {"": raw}
    inner = raw.get(SECTION)
    return inner if isinstance(inner, Mapping) else raw


def parse(raw: object) -> tuple[Settings, tuple[str, ...]]:
    """Returns the settings that a client sent, and one sentence for each invalid value and what is used instead.

    Accepts what ``section`` does. Null values count as absent. Never raises.
    """
    given = {str(key): value for key, value in section(raw).items() if value is not None}
    if "" in given:
        return Settings(), (f"The settings are {_shown(given[''])} and not an object; the defaults are used.",)
    values, problems = sound(given)
    return Settings.model_validate(values), tuple(_sentence(problem) for problem in problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A setting that cannot be used.

    ``key`` is the name as it was given. ``detail`` is the reason, or for an ``unknown`` name, which one may be meant.
    ``shown`` is the value, and ``default`` is the value that replaces it.
    """

    key: str
    detail: str
    unknown: bool = False
    shown: str = ""
    default: str = ""


def sound(raw: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Returns the valid settings in ``raw`` by field name, and the problems of the others. Never raises."""
    given = dict(raw)
    problems = []
    names = {field.alias or name: name for name, field in Settings.model_fields.items()}
    for key in [key for key in given if key not in names and key not in Settings.model_fields]:
        close = difflib.get_close_matches(key, names, n=1)
        shown = key if key.isidentifier() else _shown(key)
        problems.append(
            Problem(key=shown, detail=f"did you mean {close[0]}?" if close else "it is ignored.", unknown=True)
        )
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
                    Problem(key=key, detail=_reason(detail), shown=_shown(detail["input"]), default=shown_default)
                )
        settings = Settings.model_validate(given)
    return settings.model_dump(include=settings.model_fields_set), tuple(problems)


def _reason(detail: ErrorDetails) -> str:
    """Returns what pydantic says of a value, in the words of somebody who does not write Python."""
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return detail["msg"].lower().replace("a valid tuple", "a list")


def _sentence(problem: Problem) -> str:
    if problem.unknown:
        return f"There is no setting {problem.key}; {problem.detail}"
    return (
        f"The setting {problem.key} cannot be {problem.shown} ({problem.detail});"
        f" its default, {problem.default}, is used."
    )


def _shown(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
