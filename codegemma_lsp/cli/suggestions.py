"""What a shell offers for completion: names of models, settings with their values, and topics of the help."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from typing import Any

from codegemma_lsp.models import AUTO, CATALOGUE
from codegemma_lsp.models.store import known_names
from codegemma_lsp.settings import Settings


def model_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yields the models whose names begin with ``incomplete``, and what each is for."""
    about = {name: CATALOGUE[name].about for name in CATALOGUE}
    for name in dict.fromkeys((AUTO, *about, *known_names())):
        if name.startswith(incomplete):
            yield name, about.get(name, "the best one that is installed" if name == AUTO else "imported")


def settings_and_values(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yields the settings whose names begin with ``incomplete``, each with ``=``, or the values of the setting before
    the ``=``."""
    name, separator, _ = incomplete.partition("=")
    for field in Settings.model_fields.values():
        shown = str(field.alias)
        if separator and shown == name:
            yield from ((f"{name}={value}", "") for value in _values(field.annotation))
        elif not separator and shown.startswith(incomplete):
            yield f"{shown}=", str(field.description).split(". ")[0]


def _values(kind: Any) -> tuple[str, ...]:
    if kind is bool:
        return "true", "false"
    return tuple(one.value for one in kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def help_topics(incomplete: str) -> list[str]:
    """Returns the topics that begin with ``incomplete``."""
    names = [page.name for page in files("codegemma_lsp").joinpath("docs").iterdir()]
    topics = sorted(name.removesuffix(".md") for name in names if name.endswith(".md"))
    return [topic for topic in topics if topic.startswith(incomplete)]
