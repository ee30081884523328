"""Typing sessions made from real files, key by key and reproducible by seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from codegemma_lsp.document import Span

PACKAGE = Path(__file__).parents[2]
_SOURCES = (
    "document.py",
    "syntax/regions.py",
    "prompt/layouts.py",
    "engines/backends/llama_cpp.py",
    "syntax/excerpt.py",
)
GAP_MS, SPREAD = 140.0, 0.55
"""The median gap between two keys in milliseconds, and its deviation in log space, for a quick typist who hesitates."""
THINKING_MS = 700.0
"""The median pause in milliseconds before a jump, an acceptance or a new line."""
_FUNCTION = re.compile(r"^def \w+\(", re.MULTILINE)


class Rhythm(StrEnum):
    """When keys are pressed. With ``FAST``, each key follows as soon as the one before it is answered."""

    PERSON = "person"
    FAST = "fast"


class Act(StrEnum):
    """What a key does. The ``UNDO`` that follows ``ACCEPT`` and ``ACCEPT_WORD`` undoes them, so that every system
    continues with the same text, whatever it suggested."""

    TYPE = "type"
    DELETE = "delete"
    MOVE = "move"
    ACCEPT = "accept"
    ACCEPT_WORD = "accept a word"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. ``text`` replaces ``span``, in code points of the document as the keys before it left it. ``gap_ms`` is
    the number of milliseconds that a person takes before it."""

    act: Act
    span: Span
    text: str = ""
    gap_ms: float = GAP_MS


@dataclass(frozen=True, slots=True)
class Session:
    """A file as it is opened, and the keys that are pressed in it."""

    name: str
    text: str
    keys: tuple[Key, ...]


def sessions(seed: int = 0, keys: int | None = None, typed: int = 180) -> list[Session]:
    """Returns three sessions, in a short, a medium and a long file of this package's sources, of at most ``keys`` keys
    each. About ``typed`` of the keys type a function."""
    return [
        session(name, text, random.Random(seed + number), typed, keys)
        for number, (name, text) in enumerate(sources().items())
    ]


def sources() -> dict[str, str]:
    """Returns the names and the texts of the files that sessions are made from."""
    document, regions, *long = (PACKAGE.joinpath(name).read_text("utf-8") for name in _SOURCES)
    return {"document.py": document, "regions.py": regions, "long.py": "\n\n".join(3 * long)}


def session(name: str, source: str, rng: random.Random, typed: int, most: int | None = None) -> Session:
    """Returns a session that types a function, accepts, deletes back, corrects a line in the middle, jumps elsewhere,
    and returns."""
    functions = [match.start() for match in _FUNCTION.finditer(source)]
    at = functions[len(functions) // 2]
    body = source[at : source.index("\n", at + typed)]
    text = source[:at] + source[at + len(body) :]
    elsewhere = source.index("\n", functions[0])
    first, rest = body[: typed // 2], body[typed // 2 :]
    end = at + len(first)
    steps = [
        _moving(at),
        *_typing(at, first),
        *_accepting(end, Act.ACCEPT),
        *_deleting(end, 6),
        *_typing(end - 6, first[-6:]),
        *_accepting(end, Act.ACCEPT_WORD),
        *_mending(text[:at] + first + text[at:], at + len(first) // 2),
        *_elsewhere(elsewhere),
        _moving(end),
        *_typing(end, rest[: len(rest) // 2]),
        *_accepting(end + len(rest) // 2, Act.ACCEPT),
        *_typing(end + len(rest) // 2, rest[len(rest) // 2 :]),
    ]
    return Session(name, text, tuple(_timed(steps[:most], rng)))


def _typing(at: int, text: str) -> list[Key]:
    """Returns the keys that type a text. An editor indents after a line end, so blanks at a line's start belong to that
    key."""
    parts = re.finditer(r"\n[ ]*|.", text, re.DOTALL)
    return [Key(act=Act.TYPE, span=Span(at + part.start(), at + part.start()), text=part.group()) for part in parts]


def _moving(to: int) -> Key:
    return Key(act=Act.MOVE, span=Span(to, to))


def _deleting(at: int, count: int) -> list[Key]:
    return [Key(act=Act.DELETE, span=Span(at - i - 1, at - i)) for i in range(count)]


def _accepting(at: int, act: Act) -> list[Key]:
    return [Key(act=act, span=Span(at, at)), Key(act=Act.UNDO, span=Span(at, at))]


def _mending(text: str, near: int) -> list[Key]:
    """Returns the keys that delete a word in the middle of a line from its end and type it again."""
    word = next(match for match in re.finditer(r"\b\w{5,}\b(?=.)", text[near:]))
    start, end = near + word.start(), near + word.end()
    return [_moving(end), *_deleting(end, end - start), *_typing(start, word.group())]


def _elsewhere(at: int) -> list[Key]:
    """Returns the keys that type a new line in another function and remove it."""
    line = "\n    log.debug(text)"
    return [_moving(at), *_typing(at, line), Key(act=Act.DELETE, span=Span(at, at + len(line)))]


def _timed(keys: Sequence[Key], rng: random.Random) -> Iterator[Key]:
    for key in keys:
        thinks = key.act not in (Act.TYPE, Act.DELETE) or key.text.startswith("\n")
        gap = (THINKING_MS if thinks else GAP_MS) * rng.lognormvariate(0, SPREAD)
        yield Key(act=key.act, span=key.span, text=key.text, gap_ms=gap)
