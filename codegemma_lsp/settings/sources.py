"""Where settings come from: command line or editor, environment, the user's file, defaults; in this order.

An editor and the command line hand their settings in; nothing is ever read from a workspace. What is wrong in the
environment or the file is a sentence that names the variable or the file, and is left out.
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
from codegemma_lsp.models import AUTO
from codegemma_lsp.settings.schema import Problem, Settings, parse, section, sound

FILE_VARIABLE = "CODEGEMMA_CONFIG"
_PREFIX = "CODEGEMMA_"
_CHOSEN = ("model", "chatModel")
"""Settings whose ``auto`` means what ``models use`` wrote into the file."""


class NotSaved(Exception):
    """The user's file could not be written; ``str()`` is one sentence."""


def config_path() -> Path:
    """The user's configuration file, which may not exist."""
    given = os.environ.get(FILE_VARIABLE)
    return Path(given).expanduser() if given else user_config_path("codegemma-lsp", appauthor=False) / "config.toml"


def settings_from(given: object) -> tuple[Settings, tuple[str, ...], tuple[str, ...]]:
    """Settings from what an editor or a command line gave, over the environment, over the user's file.

    Returns the settings, what is wrong with ``given``, and what is wrong with environment and file. Never raises.
    """
    lower, problems = below()
    asked = section(given)
    if "" in asked:
        return *parse(given), problems
    upper = {key: value for key, value in asked.items() if value is not None}
    for name in _CHOSEN:
        for key in (name, to_snake(name)):
            if upper.get(key) == AUTO:
                del upper[key]
    for key in {to_snake(str(key)) for key in upper}:
        lower.pop(key, None)  # the two spellings of a name are one setting
    return *parse({**lower, **upper}), problems


def below() -> tuple[dict[str, Any], tuple[str, ...]]:
    """What environment and file set, by field name, and a sentence for each thing that is wrong there."""
    in_file, wrong_in_file = _from_file(config_path())
    in_environment, wrong_in_environment = _from_environment(os.environ)
    for name in _CHOSEN:
        if in_environment.get(to_snake(name)) == AUTO:
            del in_environment[to_snake(name)]
    return {**in_file, **in_environment}, (*wrong_in_environment, *wrong_in_file)


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
    """Variables as ``CODEGEMMA_MAX_TOKENS``: JSON or else text. Others that begin alike are not ours to judge."""
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
    """A setting's value from text: JSON, or else the text itself, as it always is where the setting is a text."""
    field = Settings.model_fields.get(to_snake(name))
    if field is not None and field.annotation is str:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def save(name: str, value: str) -> Path:
    """Writes one setting, such as ``model``, into the user's file; comments and all else stay. ``auto`` takes it out.

    Returns the file's path. Raises ``NotSaved``.
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
