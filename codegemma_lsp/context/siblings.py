"""The sibling of a file: its test, the implementation of a test, or the header of a source, as an outline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from posixpath import basename

from codegemma_lsp.context.pieces import CursorInFile, Files, Kind, Piece
from codegemma_lsp.context.sibling_files import Role, SiblingFile, sibling_files
from codegemma_lsp.syntax import (
    cursor_scope,
    definition_at,
    definitions,
    excerpt,
    find_language,
    language_name,
    parse,
)

_CONCERNS, _HARDLY_HELPS = 0.8, 0.2
"""The value of a sibling that names or tests the function around the cursor, and that of any other."""
_LONGEST_OUTLINE = 800
"""Code points of an outline that is shown."""
_LONGEST = 200_000
"""Code points of a file that is parsed."""
_LONGEST_READ = 100_000
"""Code points of the cursor's file in which names are looked for that both files use."""
_CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor", "init"})
"""Names of functions that are called by the name of their class."""
_WORD = re.compile(r"[^\W\d]\w*")
_CALLABLE = re.compile(r"\b([^\W\d]\w*)[ \t]*\(")
_NO_NAMES = frozenset({"func", "function", "if", "for", "while", "switch", "catch", "return"})
_PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_TITLE = re.compile(
    r"""^[ \t]*((?:describe|it|test)\((?:"[^"\n]{1,120}"|'[^'\n]{1,120}'|`[^`\n]{1,120}`))""", re.MULTILINE
)
"""The title of a test that has no name of its own, as JavaScript's have."""


def sibling(cursor: CursorInFile, files: Files) -> Iterator[Piece]:
    """Yields an outline of the file that belongs to the cursor's, if there is one.

    It is worth its tokens where it names or tests the function around the cursor. If it is too long, what concerns that
    function is kept first, then the definitions whose names both files use. It stays in the order of its file, so that
    it is the same for most cursors in a file.
    """
    for one in sibling_files(cursor, files):
        text = files.read(one.path)
        if text is not None and len(text) <= _LONGEST:
            found = _Sibling(one, text, _outlines(text, one.role, _language(one, cursor)))
            piece = _piece(found, cursor)
            if piece.text:
                yield piece
                return


@dataclass(frozen=True, slots=True)
class _Sibling:
    """A sibling, its text, and the outlines of its definitions by their names."""

    file: SiblingFile
    text: str
    outlines: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Function:
    """The function around a cursor, by the name that its callers use, with the words of its text so far. Tests may be
    functions without a name."""

    name: str = ""
    words: frozenset[str] = frozenset()


def _language(one: SiblingFile, cursor: CursorInFile) -> str:
    """A header is in the language of its source, whatever its suffix says."""
    return cursor.language if one.role is Role.HEADER else language_name("", one.path)


def _piece(found: _Sibling, cursor: CursorInFile) -> Piece:
    function = _function_at(cursor)
    name = _common_name(found, function)
    shown = _shown(found, function, cursor.text)
    said = f"is the {found.file.role} of {basename(cursor.path)}"
    return Piece(
        path=found.file.path,
        text=_whole_lines("".join(f"{outline.rstrip()}\n" for outline in shown.values())),
        kind=Kind.SIBLING,
        reason=f"{said} and names {name}" if name else said,
        names=frozenset(shown),
        value=_CONCERNS if name else _HARDLY_HELPS,
    )


@lru_cache(maxsize=32)
def _outlines(text: str, role: Role, language: str) -> Mapping[str, str]:
    """Returns the outlines of a file, without the macros that only guard a header and the second name of an export.

    Tests are shown without the values that they are run with, which stand above them, and those without a name by their
    titles.
    """
    found = definitions(parse(text, language, most=_LONGEST))
    if role is Role.TEST:
        found = {name: _from_name(outline, name) for name, outline in found.items()}
        found |= {title[1]: f"{title[1]}, ...);" for title in _TITLE.finditer(text)}
    found.pop("default", None)
    return {name: outline for name, outline in found.items() if outline.split() != ["#define", name]}


def _from_name(outline: str, name: str) -> str:
    """Returns an outline from the line on that begins the definition of a name."""
    lines = outline.split("\n")
    first = next((number for number, line in enumerate(lines) if name in _WORD.findall(line)), 0)
    return "\n".join(lines[first:])


def _function_at(cursor: CursorInFile) -> _Function:
    part = excerpt(cursor.text, cursor.offset, find_language(cursor.language))
    syntax = parse(part.text, cursor.language)
    around = [definition_at(syntax, header) for header in cursor_scope(syntax, part.offset).headers]
    found = [one for one in around if one is not None]
    if not found or found[-1].is_class:
        return _Function()
    named = [one for one in found if one.name]
    innermost = named[-1] if named and not named[-1].is_class else found[-1]
    caller = named[-2] if innermost.name in _CONSTRUCTORS and len(named) > 1 else innermost
    text = syntax.text[innermost.span.start : innermost.span.end]
    return _Function(caller.name.split("::")[-1], frozenset(_WORD.findall(text)))


def _common_name(found: _Sibling, function: _Function) -> str:
    """Returns a name by which a sibling is about the function around the cursor, or "" if it is not.

    It is the function's own, that of a test for it, or that of a definition that the function uses or tests.
    """
    name = re.escape(function.name)
    if name and re.search(rf"\b{name}[ \t]*\(|\.{name}\b(?!\.|[ \t]+import\b)", found.text):
        return function.name
    return next((name for name in _names(found.outlines) if _is_about(found.file.role, name, function)), "")


def _is_about(role: Role, name: str, function: _Function) -> bool:
    """Returns whether a name that a sibling defines is that of a test of a function, or is used or tested there."""
    if role is Role.TEST:
        return _has_words_of(name, function.name)
    return name in function.words or (role is Role.IMPLEMENTATION and _has_words_of(function.name, name))


def _names(outlines: Mapping[str, str]) -> dict[str, None]:
    """Returns the names that a file defines: those at its top level, and the first that has arguments in each line, as
    methods have."""
    lines = (line for outline in outlines.values() for line in outline.split("\n"))
    inner = (next((name for name in _CALLABLE.findall(line) if name not in _NO_NAMES), "") for line in lines)
    return dict.fromkeys(name for name in (*outlines, *inner) if name)


def _has_words_of(longer: str, shorter: str) -> bool:
    """Returns whether the words of one name stand together in another: ``test_add_item`` has those of ``addItem``."""
    words = "_".join(_PART.findall(shorter)).lower()
    return bool(words) and f"_{words}_" in f"_{'_'.join(_PART.findall(longer)).lower()}_"


def _whole_lines(text: str) -> str:
    """Returns the lines at a text's start that fit into an outline."""
    return text if len(text) <= _LONGEST_OUTLINE else text[: text.rfind("\n", 0, _LONGEST_OUTLINE) + 1]


def _shown(found: _Sibling, function: _Function, text: str) -> dict[str, str]:
    """Returns the outlines that are shown, in the order of their file: as many as fit, the first one at least in part.

    Variables, and names that are private to the sibling, are shown only where the cursor's file has them too.
    """
    used = set(_WORD.findall(text[:_LONGEST_READ]))
    ranks: dict[str, int] = {}
    for name, outline in found.outlines.items():
        inner = _names({name: outline})
        if any(_is_about(found.file.role, one, function) for one in inner):
            ranks[name] = 0
        elif name in used:
            ranks[name] = 1
        elif "(" in outline and not name.startswith("_"):
            ranks[name] = 2
    kept: set[str] = set()
    left = _LONGEST_OUTLINE
    for name in sorted(ranks, key=lambda name: ranks[name]):
        if len(found.outlines[name]) < left or not kept:
            kept.add(name)
            left -= len(found.outlines[name]) + 1
    return {name: outline for name, outline in found.outlines.items() if name in kept}
