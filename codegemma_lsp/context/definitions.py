"""Finds outlines of the definitions in other files that a cursor needs, with the syntax of both files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice

from codegemma_lsp.context.module_files import ModuleFiles, module_files
from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece
from codegemma_lsp.context.wanted import AT_DOT, BEGUN, Wanted, begun_name, wanted_names
from codegemma_lsp.syntax import Imported, definitions, imported, language_name, named, parse

_MOST_FILES = 12
"""The number of files that are parsed for one cursor."""
_LONGEST = 400_000
"""The maximum number of code points of a file that is parsed."""
_MOST_STEPS = 4
"""The number of files through which a name that is exported again is followed."""
_LINES_OF_A_MEMBER = 8
_MOST_BEGUN = 4
"""The number of names that may be meant by the beginning of one."""
_LESS = 0.6
"""The factor of a name's value for the type that a called function returns."""
_RETURNS = re.compile(r"->\s*([^:{\n]+)|\)\s*:\s*([\w$.<>\[\]| ]+)")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_SEPARATOR = re.compile(r"\.|::")


def imported_definitions(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
    """Yields an outline for each name near the cursor that a file of the workspace or of an installed package defines.

    Names that the file defines itself are not looked up. The value of a piece is that of the name, which is highest for
    a member after a dot and for an open call.
    """
    search = _Search(cursor, files, module_files(cursor.language))
    told: dict[tuple[str, str], None] = {}
    begun = begun_name(cursor.text, cursor.offset)
    names = (Wanted(name, BEGUN, f"{begun} is being written") for name in (search.begun(begun) if begun else ()))
    for wanted in chain(names, wanted_names(cursor.text, cursor.offset)):
        if search.exhausted:
            return
        for found in search.definitions(wanted.name):
            if (found.path, found.name) not in told:
                told[found.path, found.name] = None
                yield _piece(found, wanted)


def definitions_of(names: Sequence[str], cursor: CursorInFile, files: Files) -> Iterator[Piece]:
    """Yields the outline of the first name, as the cursor's file writes it, and the code of the members with the other
    names."""
    search = _Search(cursor, files, module_files(cursor.language))
    owner, *members = names
    for found in search.definitions(owner):
        yield _piece(found, Wanted(owner, 1.0, "it is needed"))
        text = files.read(found.path) or ""
        for member in members:
            span = named(parse(text, language_name("", found.path), most=_LONGEST), member)
            if span is not None:
                body = "\n".join(text[span.start : span.end].split("\n")[:_LINES_OF_A_MEMBER])
                yield _piece(_Found(found.path, member, body), Wanted(member, 1.0, "it is needed"))


@dataclass(frozen=True, slots=True)
class _Found:
    """An outline of ``name`` in the file at ``path``. ``function`` is the name of the function that returns it, or
    ""."""

    path: str
    name: str
    outline: str
    function: str = ""


def _piece(found: _Found, wanted: Wanted) -> Piece:
    """Returns the piece for an outline. A member of a function's result needs the result's type, and a call needs the
    function."""
    of_result = bool(found.function) == (wanted.value == AT_DOT)
    value = wanted.value if of_result or not found.function else _LESS * wanted.value
    return Piece(
        path=found.path,
        text=found.outline.rstrip("\n") + "\n",
        kind=Kind.DEFINITION,
        reason=f"defines {found.name}: {wanted.reason}",
        names=frozenset({found.name}),
        value=value,
    )


class _Search:
    """The search for the names of one cursor. It remembers which files it has read."""

    def __init__(self, cursor: CursorInFile, files: Files, modules: ModuleFiles) -> None:
        self._cursor, self._files, self._modules = cursor, files, modules
        self._own = _outlines(cursor.text, cursor.language)
        self._read: dict[str, str | None] = {}
        self._imports = _imports(cursor.text, cursor.language)

    @property
    def exhausted(self) -> bool:
        return len(self._read) >= _MOST_FILES

    def definitions(self, written: str) -> Iterator[_Found]:
        """Yields the definition of a name as the cursor's file writes it, and the type that it returns."""
        first, *rest = _SEPARATOR.split(written)
        if first in self._own and not rest:
            return
        for found in (self._imported(first, rest), self._near(rest[-1] if rest else first), self._near(first)):
            if found is not None:
                yield found
                yield from self._returned(found)
                return

    def begun(self, start: str) -> list[str]:
        """Returns the first names of other files that begin with ``start`` and can be used here without a qualifier."""
        known = chain(
            (name.local for one in self._imports for name in one.names),
            (name for path, text in self._near_texts() for name in _outlines(text, language_name("", path))),
        )
        return list(
            islice(dict.fromkeys(name for name in known if name.startswith(start) and name != start), _MOST_BEGUN)
        )

    def _imported(self, first: str, rest: list[str]) -> _Found | None:
        for one in self._imports:
            for name in one.names:
                if name.local == first:
                    return self._of_module(one.module, self._cursor.path, name.original, rest)
            local = one.local or ""
            if local and (local == first or local.split(".") == [first, *rest][: local.count(".") + 1]):
                inner = [first, *rest][local.count(".") + 1 :]
                return self._in_module(one.module, self._cursor.path, inner[0]) if inner else None
            if one.everything and (found := self._in_module(one.module, self._cursor.path, first)) is not None:
                return found
        return None

    def _of_module(self, module: str, path: str, name: str, rest: list[str]) -> _Found | None:
        """Returns what a module defines under a name, which may be a module itself."""
        if (found := self._in_module(module, path, name)) is not None:
            return found
        inner = self._modules.inner(module, name)
        return self._in_module(inner, path, rest[0]) if inner and rest else None

    def _in_module(self, module: str, path: str, name: str, steps: int = _MOST_STEPS) -> _Found | None:
        target = next((p for p in self._modules.targets(module, path, self._files) if self._text(p) is not None), None)
        return self._in_file(target, name, steps) if target is not None and target != self._cursor.path else None

    def _in_file(self, path: str, name: str, steps: int) -> _Found | None:
        """Returns the definition of a name in a file, or in the file from which it exports the name again."""
        text = self._text(path)
        if text is None:
            return None
        language = language_name("", path)
        if outline := _outlines(text, language).get(name):
            return _Found(path, name, outline)
        if not steps:
            return None
        for one in _imports(text, language):
            original = next((n.original for n in one.names if n.local == name), name if one.everything else "")
            if original and (found := self._in_module(one.module, path, original, steps - 1)) is not None:
                return found
        return None

    def _near(self, name: str) -> _Found | None:
        """Returns the definition of a name that needs no import, in the same package or in an included file."""
        for path, text in self._near_texts():
            if outline := _outlines(text, language_name("", path)).get(name):
                return _Found(path, name, outline)
        return None

    def _near_texts(self) -> Iterator[tuple[str, str]]:
        """Yields the files whose names need no import, with their texts, until enough files were read."""
        for path in self._modules.near(self._cursor, self._files):
            if self.exhausted and path not in self._read:
                return
            text = self._text(path) if path != self._cursor.path else None
            if text is not None:
                yield path, text

    def _returned(self, found: _Found) -> Iterator[_Found]:
        """Yields the type that a function returns, if its file defines or imports it."""
        match = _RETURNS.search(found.outline.split("\n")[0])
        if match is None or "class" in found.outline.split("\n")[0]:
            return
        for name in _NAME.findall(match[1] or match[2]):
            if name not in self._own and name != found.name and name[:1].isupper():
                returned = self._in_file(found.path, name, _MOST_STEPS)
                if returned is not None:
                    yield replace(returned, function=found.name)

    def _text(self, path: str) -> str | None:
        if path not in self._read:
            if self.exhausted or not self._files.exists(path):
                return None
            self._read[path] = self._files.read(path)
        return self._read[path]


@lru_cache(maxsize=256)
def _outlines(text: str, language: str) -> dict[str, str]:
    return definitions(parse(text, language, most=_LONGEST)) if language else {}


@lru_cache(maxsize=256)
def _imports(text: str, language: str) -> list[Imported]:
    return imported(parse(text, language, most=_LONGEST)) if language else []
