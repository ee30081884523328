"""Places in files, with what a model might say there: the file's own text, from there or from elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codegemma_lsp.syntax import find_language

LONGEST = 200_000
"""Code points of a file that is used."""
LONGEST_LINE = 1_000
"""Code points of a line. Files with longer ones are generated."""
_LONGEST_SAID = 120


@dataclass(frozen=True, slots=True)
class Case:
    """A file around a cursor, and what a model may say there. ``before + after`` is the file, or the file without the
    rest of the cursor's line."""

    before: str
    after: str
    said: str

    @property
    def text(self) -> str:
        return self.before + self.after


def sources(language: str, folders: list[Path]) -> list[Path]:
    """Returns the files of a language in the folders, which may be files themselves."""
    found = find_language(language)
    assert found is not None
    files = [file for folder in folders for file in ([folder] if folder.is_file() else sorted(folder.rglob("*.*")))]
    return [file for file in files if file.suffix in found.suffixes and ".min." not in file.name and file.is_file()]


def cases(files: list[Path], seed: int) -> Iterator[Case]:
    """Yields cases without end, in an order that depends on the seed."""
    chance = random.Random(seed)
    while True:
        text, other = map(_text, chance.choices(files, k=2))
        if text and other:
            yield case(chance, text, other)


def case(chance: random.Random, text: str, other: str) -> Case:
    """Returns a place in a text, with the true text from somewhere near, whole or cut, or text from elsewhere."""
    lines = text.split("\n")
    row = chance.randrange(len(lines))
    start = sum(len(line) + 1 for line in lines[:row])
    at = start + chance.choice([0, len(lines[row]) - len(lines[row].lstrip()), chance.randint(0, len(lines[row]))])
    end = start + len(lines[row])
    rest = text[end:] if chance.random() < 0.3 else text[at:]
    origin = chance.choice([text, text, text, other])
    from_there = (
        chance.choice([at, start, chance.randrange(len(text))]) if origin is text else chance.randrange(len(other))
    )
    said = origin[from_there : from_there + chance.randint(3, _LONGEST_SAID)]
    return Case(before=text[:at], after=rest, said=said)


@lru_cache(maxsize=2000)
def _text(file: Path) -> str:
    """Returns a file's text with LF line ends, or "" if it is no text, too long or generated."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        return ""
    is_written = max(map(len, text.split("\n"))) <= LONGEST_LINE
    return text if is_written and 20 < len(text) <= LONGEST else ""
