"""Suggestions at random places in the standard library's files keep these valid by Python's own compiler."""

from __future__ import annotations

import ast
import random
import warnings
from codeop import PyCF_ALLOW_INCOMPLETE_INPUT  # type: ignore[attr-defined]  # missing from typeshed
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.completion.story import Story
from tests.marks import CURSOR

LIBRARY = Path(ast.__file__).parent
FILES = (
    "ast",
    "bisect",
    "cmd",
    "configparser",
    "copy",
    "csv",
    "dataclasses",
    "fnmatch",
    "heapq",
    "queue",
    "shlex",
    "textwrap",
)
CASES = 400


@dataclass(frozen=True)
class Case:
    """A file without the rest of a line at the cursor, or as it is, and what a model may say there."""

    before: str
    after: str
    said: str


def cases(seed: int) -> list[Case]:
    chance = random.Random(seed)
    texts = [(LIBRARY / f"{name}.py").read_text("utf-8") for name in FILES]
    return [case(chance, chance.choice(texts)) for _ in range(CASES)]


def case(chance: random.Random, text: str) -> Case:
    """The true text from somewhere near, whole or cut, or text from elsewhere in the file."""
    lines = text.split("\n")
    row = chance.randrange(len(lines))
    start = sum(len(line) + 1 for line in lines[:row])
    at = start + chance.choice([0, len(lines[row]) - len(lines[row].lstrip()), chance.randint(0, len(lines[row]))])
    end = start + len(lines[row])
    rest = text[end:] if chance.random() < 0.3 else text[at:]
    from_there = chance.choice([at, start, chance.randrange(len(text))])
    return Case(before=text[:at], after=rest, said=text[from_there : from_there + chance.randint(3, 120)])


def error(text: str) -> str:
    """What the compiler says, "" for nothing. A text that it could read on is incomplete."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "file", "exec", flags=PyCF_ALLOW_INCOMPLETE_INPUT, dont_inherit=True)
        except SyntaxError as wrong:
            return wrong.msg
    return ""


def is_half_typed(text: str) -> bool:
    """Whether a program may begin with these lines, of which a header's colon or the end of a string may be missing."""
    errors = [error(f"{text}{colon}\n") for colon in ("", ":")]
    return any(message in ("", "incomplete input") or message.startswith("unterminated") for message in errors)


@pytest.mark.timeout(240)
async def test_a_valid_file_stays_valid_and_a_half_typed_line_goes_on() -> None:
    valid, half_typed, broken = 0, 0, []
    for one in cases(seed=19):
        outcome = await Story(f"{one.before}{CURSOR}{one.after}", "python").outcome(one.said)
        if outcome.suggestion is None:
            continue
        text, span = one.before + one.after, outcome.suggestion.span
        taken, rest = text[: span.start] + outcome.suggestion.text, text[span.end :]
        was_valid = not error(text)
        valid, half_typed = valid + was_valid, half_typed + (not was_valid)
        is_fine = not error(taken + rest) if was_valid else is_half_typed(taken + rest.split("\n")[0])
        if not is_fine:
            broken.append((one.before[-60:], outcome.suggestion.text, one.after[:40]))
    assert valid > CASES // 10
    assert half_typed > CASES // 50
    assert broken == []
