"""Pieces of other files: what a source of context finds, and which files it may read.

A source is a function of a cursor and of the files that may be read. It holds no state and knows neither the model nor
the prompt's format. It may be called in the planning thread, so it must end within milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """The kind of source that found a piece, in the words that a user is shown."""

    DEFINITION = "definition"
    EDITOR = "definition from the editor"
    SIBLING = "sibling file"
    EDIT = "recent edit"
    SIMILAR = "similar code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of another file, or an outline of it, that may help at a cursor.

    ``path`` is relative to the file's workspace folder, or for an installed package relative to the folder where
    packages are installed, with ``/``. ``text`` consists of whole lines and ends with a line end. ``names`` are the
    identifiers that it explains. ``value`` is how much it is expected to help, from 0 to 1, and is comparable between
    all sources. ``reason`` completes the sentence "taken because it …".
    """

    path: str
    text: str
    kind: Kind
    reason: str
    names: frozenset[str] = frozenset()
    value: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorInFile:
    """A cursor at ``offset`` (code points) of the whole ``text`` of a file.

    ``path`` is relative to the file's workspace folder, with ``/``. ``language`` is a name of ``syntax.languages``, or
    "" if none applies.
    """

    path: str
    language: str
    text: str
    offset: int


class Files(Protocol):
    """The files that may reach a prompt. Every path is relative to the workspace folder and has ``/``.

    A file that is ignored, looks like a secret or lies outside the workspace does not exist here.
    """

    def read(self, path: str) -> str | None:
        """Returns a file's text, the editor's if it is open there, or None if there is none that may be read."""
        ...

    def exists(self, path: str) -> bool:
        """Returns whether ``read`` may return a text. It is cheaper, and True for a file that turns out not to be
        text."""
        ...

    def folder(self, path: str) -> tuple[str, ...]:
        """Returns the names in a folder, sorted. Names of folders end with ``/``. ``path`` is "" for the root."""
        ...


class Source(Protocol):
    """Finds pieces for a cursor, in any order."""

    def __call__(self, cursor: CursorInFile, files: Files) -> Iterator[Piece]: ...
