"""Which file belongs to another one by its name: its test, what it tests, or its header.

Every path is relative to the workspace folder and has ``/``. None is above it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from codegemma_lsp.context.module_files import module_files
from codegemma_lsp.context.pieces import CursorInFile, Files
from codegemma_lsp.syntax import Language, TestConvention, TestLocation, find_language, head_of, imported, parse

_TEST_FOLDERS = ("tests", "test")
_HEADER_FOLDERS = ("include",)
_SOURCE_FOLDERS = ("src", "lib")
_NO_SOURCES = frozenset({"node_modules/", "venv/", "env/", "build/", "dist/", "target/", "bin/", "obj/"})
_MOST_FOLDERS = 24
"""The number of folders within one that are looked into."""


class Role(StrEnum):
    """What a sibling is of the cursor's file, in the words that a user is shown."""

    TEST = "test"
    IMPLEMENTATION = "implementation"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class SiblingFile:
    """A file that is there, and what it is of the cursor's file."""

    path: str
    role: Role


def sibling_files(cursor: CursorInFile, files: Files) -> Iterator[SiblingFile]:
    """Yields the files that belong to the cursor's file by the conventions of its language, the most likely one first.

    These are the header of a C or C++ source, the implementation of a test, and the test of anything else.
    """
    language = find_language(cursor.language)
    if language is None:
        return
    search = _Search(cursor, files, language)
    convention = language.tests
    if language.headers:
        yield from search.siblings(search.headers(language.headers), Role.HEADER)
    elif convention is not None and convention.location is not TestLocation.IN_SOURCE:
        if search.tested(convention):
            yield from search.siblings(search.implementations(convention), Role.IMPLEMENTATION)
        else:
            yield from search.siblings(search.tests(convention), Role.TEST)


class _Search:
    """The search for the siblings of one file. It knows which folders it has looked into."""

    def __init__(self, cursor: CursorInFile, files: Files, language: Language) -> None:
        self._cursor, self._files, self._language = cursor, files, language
        self._folder, self._name = posixpath.split(cursor.path)
        self._stem, self._suffix = posixpath.splitext(self._name)
        self._known: dict[str, frozenset[str]] = {}

    def siblings(self, paths: Iterable[str], role: Role) -> Iterator[SiblingFile]:
        """Yields those of the paths that are there, once each, without the cursor's own."""
        for path in dict.fromkeys(paths):
            folder, name = posixpath.split(path)
            if path != self._cursor.path and name in self._names(folder) and self._files.exists(path):
                yield SiblingFile(path, role)

    def headers(self, suffixes: tuple[str, ...]) -> Iterator[str]:
        """Yields where the header of a source may be: what it includes under its own name comes first."""
        if self._suffix in suffixes:
            return
        names = [self._stem + suffix for suffix in suffixes]
        included = module_files(self._language.name).near(self._cursor, self._files)
        yield from (path for path in included if posixpath.basename(path) in names)
        yield from _each(self._folder, names)
        for folder in self._folders_like(_HEADER_FOLDERS):
            yield from _each(folder, names)

    def tests(self, convention: TestConvention) -> Iterator[str]:
        """Yields where the test of an implementation may be."""
        suffixes = (self._suffix, *sorted(self._language.suffixes - {self._suffix}))
        patterns = convention.files
        names = [pattern.format(stem=self._stem, suffix=suffix) for suffix in suffixes for pattern in patterns]
        yield from _each(self._folder, names)
        for inner in convention.folders:
            yield from _each(posixpath.join(self._folder, inner), names)
        yield from _each(_moved(self._folder, "src/main", "src/test"), names)
        for folder in self._folders_like(convention.folders or _TEST_FOLDERS):
            yield from _each(folder, names)

    def tested(self, convention: TestConvention) -> str:
        """Returns the name, without its suffix, of what a file tests by its own name, or "" if it is no test."""
        for pattern in convention.files:
            before, after = pattern.format(stem="\0", suffix=self._suffix).split("\0")
            if self._name.startswith(before) and self._name.endswith(after) and len(self._name) > len(before + after):
                return self._name[len(before) : len(self._name) - len(after)]
        return ""

    def implementations(self, convention: TestConvention) -> Iterator[str]:
        """Yields where the implementation of a test may be: what it imports under that name comes first."""
        stem = self.tested(convention)
        yield from (path for path in self._imported() if posixpath.splitext(posixpath.basename(path))[0] == stem)
        names = [stem + suffix for suffix in (self._suffix, *sorted(self._language.suffixes - {self._suffix}))]
        test_folders = {*convention.folders, *_TEST_FOLDERS}
        yield from _each(self._folder, names)
        if posixpath.basename(self._folder) in test_folders:
            yield from _each(posixpath.dirname(self._folder), names)
        yield from _each(_moved(self._folder, "src/test", "src/main"), names)
        for folder in self._folders_tested(test_folders):
            yield from _each(folder, names)

    def _imported(self) -> Iterator[str]:
        """Yields the files that the modules may be which a file's head imports."""
        customs = module_files(self._language.name)
        for one in imported(parse(head_of(self._cursor.text), self._language.name)):
            yield from customs.targets(one.module, self._cursor.path, self._files)

    def _folders_like(self, kinds: Iterable[str]) -> Iterator[str]:
        """Yields the folders that mirror the file's own in a folder of tests or headers, the nearest one first: of
        ``shop/parts`` these are ``tests/shop/parts``, ``tests/parts`` and ``tests``, and the same in ``tests/unit``."""
        parts = self._folder.split("/") if self._folder else []
        for depth in range(len(parts), -1, -1):
            above, below = "/".join(parts[:depth]), parts[depth:]
            for kind in kinds:
                if f"{kind}/" in self._names(above):
                    top = posixpath.join(above, kind)
                    for base in (top, *self._within(top)):
                        yield from _ends(base, below)

    def _folders_tested(self, kinds: Iterable[str]) -> Iterator[str]:
        """Yields the folders that a folder of tests mirrors: of ``tests/parts`` these are ``parts``, ``src/parts``, and
        ``parts`` in any other folder beside ``tests``."""
        parts = self._folder.split("/")
        at = next((number for number, part in enumerate(parts) if part in kinds), None)
        if at is None:
            return
        top = "/".join(parts[:at])
        sources = [posixpath.join(top, folder) for folder in _SOURCE_FOLDERS if f"{folder}/" in self._names(top)]
        for base in dict.fromkeys((top, *sources, *(one for outer in (*sources, top) for one in self._within(outer)))):
            yield from _ends(base, parts[at + 1 :])

    def _within(self, folder: str) -> list[str]:
        names = sorted(name for name in self._names(folder) if name.endswith("/") and name[0] not in "._")
        inner = [name.rstrip("/") for name in names if name not in _NO_SOURCES]
        return [posixpath.join(folder, name) for name in inner[:_MOST_FOLDERS]]

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self._known:
            self._known[folder] = frozenset(self._files.folder(folder))
        return self._known[folder]


def _each(folder: str, names: Iterable[str]) -> Iterator[str]:
    return (posixpath.join(folder, name) for name in names)


def _ends(base: str, parts: list[str]) -> Iterator[str]:
    """Yields a folder with all of the parts below it, then with ever fewer of the last ones."""
    return (posixpath.join(base, *parts[count:]) for count in range(len(parts) + 1))


def _moved(folder: str, source: str, target: str) -> str:
    """Returns the folder that is in ``target`` as this one is in ``source``, or this one if it is not in it."""
    before, found, after = f"/{folder}/".partition(f"/{source}/")
    return f"{before}/{target}/{after}".strip("/") if found else folder
