"""Moments from real files at which nothing should be shown, and moments of typing with which they are compared."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from codegemma_lsp.benchmarks.typing.typed_files import SOURCES, SourceFile, read, source_paths
from codegemma_lsp.document import Span
from codegemma_lsp.syntax import parse, whole_statements


class Kind(StrEnum):
    """The kinds of moments. At ``TYPING``, the beginning of a statement has just been typed, so that a suggestion is
    welcome."""

    DELETION = "single deletion"
    STATEMENT = "finished statement"
    FILE_END = "end of file"
    WORD = "inside a word"
    LICENCE = "licence"
    TYPING = "typing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A text with its cursor at ``offset``. ``has_deleted`` means that the last key removed what stood there, and
    ``rest`` is what the file has there and the text has not."""

    kind: Kind
    language: str
    name: str
    text: str
    offset: int
    has_deleted: bool = False
    rest: str = ""


_WORD = re.compile(r"[A-Za-z_]\w{4,}")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_FEWEST_TYPED = 3
"""The number of tokens of a statement that are typed at least."""
_LICENCES = (
    """\
Copyright 2024 The Authors. All rights reserved.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
""",
    """\
Copyright (c) 2021 The Authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.
""",
    """\
SPDX-License-Identifier: GPL-2.0-or-later
Copyright (C) 2019 The Authors

This program is free software; you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation; either version 2 of the License, or
(at your option) any later version.
""",
)
_COMMENT = {"python": ("", "#", ""), "lua": ("", "--", ""), "c": ("/*\n", " *", " */\n"), "cpp": ("", "//", "")}
"""What stands before a comment, before each of its lines, and after it."""
_BLOCK_COMMENT = ("/**\n", " *", " */\n")


def cases(count: int, seed: int = 0) -> list[Case]:
    """Returns ``count`` moments of each kind in each language, each in another file as far as there are files. The
    same installation and seed give the same moments."""
    return [case for kind in Kind for language in SOURCES for case in _drawn(kind, language, count, seed)]


def _drawn(kind: Kind, language: str, count: int, seed: int) -> list[Case]:
    rng = random.Random(f"{seed}/{kind}/{language}")
    paths = list(source_paths(language))
    rng.shuffle(paths)
    files = [file for path in paths if (file := read(path, language)) is not None][:count]
    found = list[Case]()
    while files and len(found) < count:
        before = len(found)
        for file in files[: count - len(found)]:
            found += [_MOMENTS[kind](file, rng)] if _places(file) and _words(file) else []
        if len(found) == before:
            break
    return found


def _at(
    kind: Kind, file: SourceFile, offset: int, *, text: str = "", has_deleted: bool = False, rest: str = ""
) -> Case:
    return Case(
        kind=kind,
        language=file.language,
        name=file.name,
        text=text or file.text,
        offset=offset,
        has_deleted=has_deleted,
        rest=rest,
    )


def _deletion(file: SourceFile, rng: random.Random) -> Case:
    """The last character of a statement's beginning was deleted. What follows is there in half of the cases."""
    typed, rest = _begun(file, rng)
    at = typed - 1
    kept = "" if rng.random() < 0.5 else file.text[typed : typed + len(rest)]
    text = file.text[:at] + kept + file.text[typed + len(rest) :]
    return _at(Kind.DELETION, file, at, text=text, has_deleted=True)


def _statement(file: SourceFile, rng: random.Random) -> Case:
    return _at(Kind.STATEMENT, file, rng.choice(_statements(file)).end)


def _file_end(file: SourceFile, rng: random.Random) -> Case:
    """Behind the last line, or on an empty line below it."""
    text = file.text.rstrip() + rng.choice(("", "\n", "\n\n"))
    return _at(Kind.FILE_END, file, len(text), text=text)


def _word(file: SourceFile, rng: random.Random) -> Case:
    word = rng.choice(_words(file))
    return _at(Kind.WORD, file, rng.randrange(word.start + 1, word.end))


def _licence(file: SourceFile, rng: random.Random) -> Case:
    """At the end of a line of a licence at the head of a file. The rest of the licence is there in half of the
    cases."""
    lines = rng.choice(_LICENCES).rstrip("\n").split("\n")
    first, mark, last = _COMMENT.get(file.language, _BLOCK_COMMENT)
    written = [f"{mark} {line}".rstrip() for line in lines]
    number = rng.choice([i for i, line in enumerate(lines) if line])
    before = first + "\n".join(written[: number + 1])
    kept = "\n".join(["", *written[number + 1 :]]) if rng.random() < 0.5 else ""
    return _at(Kind.LICENCE, file, len(before), text=before + kept + "\n" + last + "\n" + file.text)


def _typing(file: SourceFile, rng: random.Random) -> Case:
    typed, rest = _begun(file, rng)
    text = file.text[:typed] + file.text[typed + len(rest) :]
    return _at(Kind.TYPING, file, typed, text=text, rest=rest)


def _begun(file: SourceFile, rng: random.Random) -> tuple[int, str]:
    """Returns where a statement is interrupted, and the rest of its line."""
    place = rng.choice(_places(file))
    return place.start, file.text[place.start : place.end]


@cache
def _statements(file: SourceFile) -> list[Span]:
    return whole_statements(parse(file.text, file.language, most=len(file.text)))


def _places(file: SourceFile) -> list[Span]:
    """Returns the rests of statements of which a few tokens are typed."""
    return [
        Span(line.start + token.start(), line.end)
        for line in _statements(file)
        for token in list(_TOKEN.finditer(file.text[line.start : line.end]))[_FEWEST_TYPED:-1]
    ]


def _words(file: SourceFile) -> list[Span]:
    return [
        Span(line.start + word.start(), line.start + word.end())
        for line in _statements(file)
        for word in _WORD.finditer(file.text[line.start : line.end])
    ]


_MOMENTS: Mapping[Kind, Callable[[SourceFile, random.Random], Case]] = {
    Kind.DELETION: _deletion,
    Kind.STATEMENT: _statement,
    Kind.FILE_END: _file_end,
    Kind.WORD: _word,
    Kind.LICENCE: _licence,
    Kind.TYPING: _typing,
}
