"""What all commands share: errors, and settings from the command line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from codegemma_lsp.models import AUTO, BUNDLED, model_path
from codegemma_lsp.models.catalogue import did_you_mean
from codegemma_lsp.models.store import is_name, known_names
from codegemma_lsp.settings import Settings, parse
from codegemma_lsp.settings.sources import settings_from, value_of

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="A model's name (codegemma-lsp models list), or a GGUF file."),
]
ChatModel = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="Chat model: a name, or the path of a GGUF file."),
]
Settings_ = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="NAME=VALUE", help="A setting, as in -s maxTokens=64.")
]


class Failure(Exception):
    """Something went wrong that the user can act on."""


class Usage(Exception):
    """The command line says something that cannot be done."""


def leave(message: str, code: int) -> None:
    """Says a sentence on stderr and exits."""
    if message:
        say(message)
    sys.exit(code)


def say(message: str) -> None:
    """A sentence on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"codegemma-lsp: {message}")


def read_settings(
    model: str | None,
    pairs: list[str] | None,
    names: frozenset[str] = frozenset(),
    *,
    chat: bool = False,
    alone: bool = False,
) -> Settings:
    """Settings from ``--model`` and ``NAME=VALUE`` pairs, whose values are JSON or else text, over the environment and
    the user's file, or with ``alone`` over nothing, for figures that depend on the command alone. A model is one of
    ``names``, one that the catalogue or the store knows, or a path, which may be relative here. ``chat``: ``model`` is
    the chat model. Raises ``Usage``; what is wrong in environment and file is said on stderr."""
    raw: dict[str, Any] = {} if model is None else {"chatModel" if chat else "model": model}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise Usage(f"--set takes NAME=VALUE, as in maxTokens=64, and not {pair!r}.")
        raw[name] = value_of(value, name)
    for name in ("model", "chatModel", "chat_model"):
        if isinstance(raw.get(name), str) and raw[name]:
            raw[name] = _whole(raw[name], names)
    if alone:
        settings, problems = parse(raw)
    else:
        settings, problems, below = settings_from(raw)
        for problem in below:
            say(problem)
    if problems:
        raise Usage(problems[0])
    return settings


def _whole(model: str, names: frozenset[str]) -> str:
    """A model's name as it is, and a path made whole. Raises ``Usage`` for a name that nothing has."""
    if model in (AUTO, BUNDLED) or model in names or model in known_names():
        return model
    path = model_path(model)
    if is_name(model) and not path.exists():
        raise Usage(f"There is no model {model}; {did_you_mean(model, known_names())}")
    return str(path.absolute())
