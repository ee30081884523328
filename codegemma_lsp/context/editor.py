"""Outlines of the definitions in other files that an editor's own language servers point to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece, Source
from codegemma_lsp.context.symbols import Symbol
from codegemma_lsp.document import Document, Encoding, Position, file_path
from codegemma_lsp.syntax import Syntax, definitions, language_name, outline_at, parse

_MOST_FILES = 12
"""The number of files that are parsed for one cursor."""
_LONGEST = 400_000
"""Code points of a file that is parsed."""
_MOST_LINES, _MOST_CODE_POINTS = 8, 1_000
"""Of a text that is no definition in its language, such as a signature alone, to be shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionPlace:
    """A definition that an editor tells of: that at ``start`` in the file of ``uri``, or else one of that file whose
    ``text`` the editor has sent. ``encoding`` is the unit in which ``start`` is counted."""

    uri: str
    start: Position | None = None
    encoding: Encoding = Encoding.UTF16
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedSymbol:
    """A name near the cursor, and where it, or its type, is defined."""

    symbol: Symbol
    places: tuple[DefinitionPlace, ...]


def editor_definitions(defined: Sequence[DefinedSymbol], root: Path) -> Source:
    """Returns a source of the outlines of what an editor told of, for a cursor in a file below ``root``.

    A definition of which the file may not be read is passed over, and so is one in the cursor's own file.
    """

    def source(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
        texts: dict[str, str | None] = {}
        for one in defined:
            for place in one.places:
                path = path_below(root, place.uri)
                if path is None or path == cursor.path or (path not in texts and len(texts) >= _MOST_FILES):
                    continue
                if path not in texts:
                    texts[path] = files.read(path)
                if (text := texts[path]) is not None and (found := _outline(place, path, text, one.symbol.name)):
                    yield _piece(path, *found, one.symbol)

    return source


def path_below(root: Path, uri: str) -> str | None:
    """Returns the path of a file relative to a folder, with ``/``, or None if it is not in it. If the two are written
    differently, their links are resolved."""
    if not uri.startswith("file:"):
        return None
    file = file_path(uri)
    try:
        if not file.is_relative_to(root):
            file, root = file.resolve(), root.resolve()
        return file.relative_to(root).as_posix()
    except (OSError, RuntimeError, ValueError):
        return None


def _piece(path: str, name: str, outline: str, symbol: Symbol) -> Piece:
    return Piece(
        path=path,
        text=outline.rstrip("\n") + "\n",
        kind=Kind.EDITOR,
        reason=f"defines {name}: {symbol.reason}",
        names=frozenset({name, symbol.name}),
        value=symbol.value,
    )


def _outline(place: DefinitionPlace, path: str, text: str, name: str) -> tuple[str, str] | None:
    """Returns the name of a definition and its outline. ``text`` is that of the file, ``name`` what it is asked for."""
    language = language_name("", path)
    if place.start is not None:
        syntax = _parsed(text, language)
        return outline_at(syntax, Document(uri="", text=text).offset(place.start, place.encoding))
    source = place.text.replace("\r\n", "\n")
    for known in definitions(parse(source, language)).items():
        return known
    is_small = source.count("\n") < _MOST_LINES and len(source) <= _MOST_CODE_POINTS
    return (name, source) if is_small and source.strip() else None


@lru_cache(maxsize=16)
def _parsed(text: str, language: str) -> Syntax:
    return parse(text, language, most=_LONGEST)
