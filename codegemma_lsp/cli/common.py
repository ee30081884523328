"""What all commands share: options, errors, messages on stderr, and settings from the command line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from codegemma_lsp.cli.suggestions import model_names, settings_and_values
from codegemma_lsp.models import AUTO, BUNDLED, is_url, model_path
from codegemma_lsp.models.catalogue import did_you_mean
from codegemma_lsp.models.store import is_name, known_names
from codegemma_lsp.settings import Problem, Settings, parse, sound
from codegemma_lsp.settings.sources import settings_from, value_of, without_effect
from codegemma_lsp.text import shortened

_LONGEST = 2_000
"""The number of code points of a sentence on stderr. A path or a value in it may be of any length."""

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH|URL",
        help="A model's name (see codegemma-lsp models list), the path of a GGUF file, or a server's http://HOST:PORT#NAME.",
        autocompletion=model_names,
    ),
]
ChatModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH|URL",
        help="Chat model: a name, the path of a GGUF file, or a server's http://HOST:PORT#NAME.",
        autocompletion=model_names,
    ),
]
Settings_ = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        help="Set a setting, as in -s maxTokens=64. May be repeated.",
        autocompletion=settings_and_values,
    ),
]


class Failure(Exception):
    """The command failed for a reason that the user can act on."""


class Usage(Exception):
    """The command line is wrong."""


_is_quiet = False


def be_quiet() -> None:
    """Makes ``remark`` print nothing."""
    global _is_quiet
    _is_quiet = True


def leave(message: str, code: int) -> None:
    """Prints a sentence on stderr and exits."""
    if message:
        say(message)
    sys.exit(code)


def plain_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Returns a console that prints text unchanged, because file names, code and sentences may contain ``[red]`` and
    ``:warning:``."""
    return Console(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)


def gigabytes(size: int) -> str:
    """Returns a number of bytes as people write it."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def say(message: str) -> None:
    """Prints a sentence on stderr."""
    plain_console(stderr=True, soft_wrap=True).print(f"codegemma-lsp: {shortened(message, _LONGEST)}")


def is_quiet() -> bool:
    return _is_quiet


def remark(message: str) -> None:
    """Prints a sentence on stderr that is not an error, or nothing with ``--quiet``."""
    if not _is_quiet:
        say(message)


def sentence(error: Exception) -> str:
    """Returns an error as one sentence. An error of the operating system would otherwise be ``[Errno 13] Permission
    denied: 'x'``."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'A file'} cannot be read or written ({error.strerror})."
    return str(error)


def read_settings(
    model: str | None,
    pairs: list[str] | None,
    names: frozenset[str] = frozenset(),
    *,
    chat: bool = False,
    alone: bool = False,
) -> Settings:
    """Returns the settings from ``--model`` and ``NAME=VALUE`` pairs, whose values are JSON or else text.

    They override the environment and the user's file, or only the defaults with ``alone``, for measurements that depend
    on the command alone. With ``chat``, ``model`` is the chat model. A model is one of ``names``, a name in the
    catalogue or the store, or a path, which may be relative to the working folder.

    Raises ``Usage``. Problems in the environment and the file are printed on stderr.
    """
    raw: dict[str, Any] = {} if model is None else {"chatModel" if chat else "model": model}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise Usage(f"--set takes NAME=VALUE, as in maxTokens=64, and not {pair!r}.")
        raw[name] = value_of(value, name)
    for name in ("model", "chatModel", "chat_model"):
        if isinstance(raw.get(name), str) and raw[name]:
            raw[name] = _whole(raw[name], names)
    _, problems = sound({name: value for name, value in raw.items() if value is not None})
    if problems:
        raise Usage(_refusal(problems[0]))
    chosen, _, below = (*parse(raw), ()) if alone else settings_from(raw)
    for problem in (*below, *without_effect(chosen)):
        remark(problem)
    return chosen


def _refusal(problem: Problem) -> str:
    """Returns a sentence about a wrong setting on the command line, where it is not replaced by its default."""
    if not problem.unknown:
        return f"The setting {problem.key} cannot be {problem.shown} ({problem.detail}); correct it, or leave it out."
    hint = problem.detail if problem.detail.endswith("?") else "codegemma-lsp help settings lists them all."
    return f"There is no setting {problem.key}; {hint}"


def _whole(model: str, names: frozenset[str]) -> str:
    """Returns a model's name or address unchanged, and a path as an absolute one. Raises ``Usage`` for an unknown
    name."""
    if model in (AUTO, BUNDLED) or is_url(model) or model in names or model in known_names():
        return model
    path = model_path(model)
    if is_name(model) and not path.exists():
        raise Usage(f"There is no model {model}; {did_you_mean(model, known_names())}")
    return str(path.absolute())
