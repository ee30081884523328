"""A task is a text, what a user asks for, and the check that tells whether the answer is right."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from codegemma_lsp.benchmarks.cross_file.tasks import Half


class Kind(StrEnum):
    """The kinds of tasks."""

    FIX_WHOLE = "fix-whole"
    FIX_MESSAGE = "fix-message"
    FIX_LINE = "fix-line"
    INSTRUCT = "instruct"
    DOC = "doc"
    TESTS = "tests"
    BLANK = "blank"
    QUESTION = "question"


FIXES = frozenset({Kind.FIX_WHOLE, Kind.FIX_MESSAGE, Kind.FIX_LINE})


@dataclass(frozen=True, slots=True)
class Ran:
    """The edit is right if a program ends without an exception in the sandbox. ``library.py`` stands before it."""

    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The edit is right if all patterns in ``has`` and none in ``lacks`` match its tokens, which are joined by blanks,
    without comments, and if its syntax has no new errors. For languages whose programs are not run."""

    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The edit is right if it defines ``name`` at a ``depth`` (its indentation) within the definition ``inside``, or
    at the top level if that is "", if all other code is kept, and if ``program`` ends well unless it is ""."""

    name: str
    depth: str
    inside: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class Documented:
    """The edit is right if only the docstring of a function changes, and says nothing wrong and nothing needless."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """Tests are right if they pass on the code as it is, and fail on at least one of its mutants. ``module`` is the
    name by which the code is imported."""

    module: str
    mutants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """An answer is right if it contains one of the ``facts``, and if ``shown`` is in the prompt."""

    facts: tuple[str, ...]
    shown: str


Check: TypeAlias = Ran | Tokens | Placed | Documented | Kills | Says


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is asked about a text, whose lines end with LF.

    ``source`` names what the task is made from, which is the same for all kinds that are made from it. ``selection``
    are offsets, and ``command`` is what a user writes: an instruction, a slash command or a question. For the plain
    answer, the model sees the text in ``region`` and the words ``plain``, and its code replaces ``region``. ``right``
    is a right answer, and ``wrong`` are wrong ones, in the form of ``Given.text``.
    """

    kind: Kind
    source: str
    path: str
    language: str
    text: str
    selection: tuple[int, int]
    command: str
    plain: str
    region: tuple[int, int]
    check: Check
    right: str
    wrong: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.source}"


@dataclass(frozen=True, slots=True)
class Source:
    """What tasks of a kind can be made from. ``make`` returns the task, or None if there is none after all."""

    name: str
    make: Callable[[], Task | None]


def half_of(source: str) -> Half:
    """Returns the half that a source belongs to, which depends only on its name. All tasks that are made from it are
    in the same half."""
    return Half.LOOK if hashlib.sha256(source.encode()).digest()[0] % 2 else Half.REPORT


def pick(sources: Iterable[Source], half: Half, limit: int | None, seed: int) -> list[Task]:
    """Returns at most ``limit`` tasks from the sources of a half, drawn with the seed. Only those that are drawn are
    made."""
    chosen = [one for one in sources if half in (Half.BOTH, half_of(one.name))]
    if limit is not None:
        random.Random(seed).shuffle(chosen)
    tasks = (task for one in chosen if (task := one.make()) is not None)
    return _in_order(list(islice(tasks, limit)))


def _in_order(tasks: Sequence[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: task.id)
