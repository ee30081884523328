"""The sources of settings, in this order: command line or editor, environment, the user's file, defaults.

An editor and the command line pass their settings in. Nothing is read from a workspace. An invalid value in the
environment or the file is reported in a sentence that names the variable or the file, and is left out.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from platformdirs import user_config_path
from pydantic.alias_generators import to_snake
from tomlkit.exceptions import TOMLKitError

from codegemma_lsp.files import replace_whole
from codegemma_lsp.models import AUTO, is_url, model_path
from codegemma_lsp.models.machine import this_machine
from codegemma_lsp.settings.schema import Problem, Settings, parse, section, sound

FILE_VARIABLE = "CODEGEMMA_CONFIG"
_PREFIX = "CODEGEMMA_"
_CHOSEN = ("model", "chatModel")
"""Settings whose ``auto`` means the value that ``models use`` wrote into the file."""


class NotSaved(Exception):
    """The user's file could not be written. ``str()`` is one sentence."""


def config_path() -> Path:
    """Returns the path of the user's configuration file, which may not exist."""
    given = os.environ.get(FILE_VARIABLE)
    return Path(given).expanduser() if given else user_config_path("codegemma-lsp", appauthor=False) / "config.toml"


def settings_from(given: object) -> tuple[Settings, tuple[str, ...], tuple[str, ...]]:
    """Returns the settings of an editor or a command line over the environment over the user's file.

    Also returns the problems of ``given``, and the problems of the environment and the file. Never raises.
    """
    lower, problems = below()
    asked = section(given)
    if "" in asked:  # it is no object, which is a problem, but none of the environment and the file
        return parse(lower)[0], parse(given)[1], problems
    upper = {key: value for key, value in asked.items() if value is not None}
    for name in _CHOSEN:
        for key in (name, to_snake(name)):
            if upper.get(key) == AUTO:
                del upper[key]
    for key in {to_snake(str(key)) for key in upper}:
        lower.pop(key, None)  # the two spellings of a name are one setting
    return *parse({**lower, **upper}), problems


def without_effect(settings: Settings) -> tuple[str, ...]:
    """Returns a sentence for each setting that is valid but changes nothing on this machine."""
    if settings.gpu_layers <= 0 or this_machine().has_gpu:
        return ()
    if is_url(settings.model) or model_path(settings.model).is_dir():
        return ()
    return (
        f"gpuLayers is {settings.gpu_layers}, but llama.cpp was built without GPU support, so the processor computes;"
        " codegemma-lsp help troubleshooting says how to build it for a GPU.",
    )


def below() -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the settings of the environment and the file by field name, and a sentence for each problem there."""
    in_file, wrong_in_file = _from_file(config_path())
    in_environment, wrong_in_environment = _from_environment(os.environ)
    for name in _CHOSEN:
        if in_environment.get(to_snake(name)) == AUTO:
            del in_environment[to_snake(name)]
    return {**in_file, **in_environment}, (*wrong_in_environment, *wrong_in_file)


def origin(name: str) -> str:
    """Returns what sets a setting by its name in editors: a variable of the environment, the user's file, or ""."""
    field = to_snake(name)
    in_environment, _ = _from_environment(os.environ)
    if field in in_environment and not (name in _CHOSEN and in_environment[field] == AUTO):
        return _PREFIX + field.upper()
    path = config_path()
    return str(path) if field in _from_file(path)[0] else ""


def _from_file(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        return {}, (f"{path} cannot be read ({error.strerror}), so it is left out.",)
    except UnicodeDecodeError as error:
        return {}, (f"{path} is not UTF-8 (byte {error.start + 1} is no text), so it is left out; convert it.",)
    except tomllib.TOMLDecodeError as error:
        return {}, (f"{path} is no TOML ({str(error)[:1].lower()}{str(error)[1:]}), so it is left out; correct it.",)
    values, problems = sound(raw)
    return values, tuple(_of_file(path, problem) for problem in problems)


def _of_file(path: Path, problem: Problem) -> str:
    if problem.unknown:
        return f"{path} sets {problem.key}, which is no setting; {problem.detail}"
    return f"{path} sets {problem.key} to {problem.shown}, which cannot be ({problem.detail}); it is left out."


def _from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the settings of variables such as ``CODEGEMMA_MAX_TOKENS``, whose values are JSON or else text. Other
    variables with the same prefix are ignored."""
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = environment.get(_PREFIX + name.upper())
        if text:
            given[name] = value_of(text, name)
    values, problems = sound(given)
    return values, tuple(
        f"The environment variable {_PREFIX}{problem.key.upper()} cannot be {problem.shown} ({problem.detail});"
        " it is left out."
        for problem in problems
    )


def value_of(text: str, name: str) -> Any:
    """Returns a setting's value from text: as JSON if it is valid, or else the text itself. A setting of type text is
    never JSON."""
    field = Settings.model_fields.get(to_snake(name))
    if field is not None and field.annotation is str:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def save(name: str, value: str) -> Path:
    """Writes one setting, such as ``model``, into the user's file, and keeps comments and everything else.

    ``auto`` removes the setting. Returns the file's path. Raises ``NotSaved``.
    """
    path = config_path()
    try:
        target = path.resolve()
        document = tomlkit.parse(target.read_text("utf-8")) if target.exists() else tomlkit.document()
        if name not in document or value == AUTO:  # the two spellings of a name are one setting
            document.pop(to_snake(name), None)
        if value == AUTO:
            document.pop(name, None)
        else:
            document[name] = value
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(target, tomlkit.dumps(document).encode())
    except OSError as error:
        raise NotSaved(f"{path} cannot be written ({error.strerror}); it is as it was.") from None
    except UnicodeDecodeError:
        raise NotSaved(f"{path} is not UTF-8, so it was left as it is; convert it first.") from None
    except TOMLKitError as error:
        raise NotSaved(f"{path} is no TOML ({error}), so it was left as it is; correct it first.") from None
    return path
