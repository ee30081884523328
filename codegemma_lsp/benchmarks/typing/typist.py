"""A typist who uses what is shown. The typist types a part of a real file, and accepts suggestions that are right.

The typist presses keys at a person's rhythm and pauses before a line, after a bracket and after an acceptance. A
suggestion is noticed if it is on the screen before the next key, and in a pause if it has been there for longer than a
glance.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from codegemma_lsp.benchmarks.typing.replay import Pressed, Record, System
from codegemma_lsp.benchmarks.typing.screen import Shown
from codegemma_lsp.benchmarks.typing.sessions import GAP_MS, SPREAD, THINKING_MS, Act
from codegemma_lsp.document import Document, Edit, Span

WORKSPACE = "file:///workspace"
"""The URI of a folder that does not exist, so that files in it are alone."""
PAUSE_MS = 500.0
"""The number of milliseconds from which a gap between two keys is a pause."""
GLANCE_MS = 300.0
"""The number of milliseconds for which a suggestion must be on the screen in a pause to be noticed."""
READING_S = 3.0
"""The number of seconds for which the typist looks at the place before the first key."""
_FEWEST_KEYS = 2
"""The number of keys from which accepting pays, because it is a key itself."""
_KEY = re.compile(r"\n[ \t]*|(?<=\n)[ \t]+|.", re.DOTALL)
"""Matches what one key writes. An editor indents after a line end, so blanks at a line's start belong to the line end,
or to one key."""
_LINE = re.compile(r"\n?[^\n]*")
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_AFTER_WHICH_ONE_PAUSES = re.compile(r"[(\[{]$|(?:^|\n)[ \t]*$")


class Amount(StrEnum):
    """How much of a suggestion is accepted with one key."""

    WHOLE = "whole"
    LINE = "line"
    WORD = "word"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypingTask:
    """A file, and the part of it that is typed between ``before`` and ``after``. ``folder`` is the URI of the folder in
    which ``name`` is."""

    name: str
    language: str
    before: str
    typed: str
    after: str
    folder: str = WORKSPACE

    @property
    def uri(self) -> str:
        return f"{self.folder}/{self.name}"

    @property
    def text(self) -> str:
        """The original file, and the file after typing."""
        return self.before + self.typed + self.after

    def rest(self, offset: int) -> str:
        """Returns what is still to be typed with the cursor at ``offset``."""
        return self.typed[offset - len(self.before) :]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a suggestion that is right. Accepting it inserts ``text`` and replaces ``overwrites`` characters."""

    amount: Amount
    text: str
    overwrites: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A key that wrote ``text`` at ``offset``.

    ``at`` is in seconds, and ``gap_ms`` is the time since the key before. ``accepted`` is how much of a suggestion it
    accepted, or None. ``right_before`` means that a right suggestion was on the screen when the key was pressed, and
    ``shown_after`` that the rest of one, right or wrong, was still there immediately afterwards.
    """

    at: float
    gap_ms: float
    offset: int
    text: str
    accepted: Amount | None
    right_before: bool
    shown_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedSession:
    """What happened while a task was typed.

    ``answered_at`` is the time in seconds of the system's first answer, or None. ``nothing_at`` has, by the number of
    the key, the time at which the system answered it with nothing.
    """

    task: TypingTask
    presses: tuple[Press, ...]
    appearances: tuple[Shown, ...]
    answered_at: float | None
    nothing_at: Mapping[int, float] = field(default_factory=dict)


class SuggestingSystem(System, Protocol):
    """A system whose record's screen holds what its editor shows."""

    def accept(self, shown: Shown, part: Part) -> None:
        """Reports that the last edit accepted this part of what was shown."""
        ...

    async def settle(self) -> None:
        """Waits until nothing runs. The document stays open."""
        ...


def right_part(shown: Shown, task: TypingTask) -> Part | None:
    """Returns the largest part of a suggestion that would be typed next: the whole, its first line or its first word.
    It is None if none is right. A part that ends within a word of the file is wrong."""
    rest = task.rest(shown.offset)
    line, word = _LINE.match(shown.text), _WORD.match(shown.text)
    parts = [Part(Amount.WHOLE, shown.text, shown.overwrites)]
    parts += [Part(Amount.LINE, line.group(), 0)] if line else []
    parts += [Part(Amount.WORD, word.group(), 0)] if word else []
    return next((part for part in parts if _is_right(part, rest, task.after)), None)


def _is_right(part: Part, rest: str, after: str) -> bool:
    if not part.text.strip():
        return False
    if part.overwrites:
        return part.text == rest + after[: part.overwrites]
    following = (rest + after[:1])[len(part.text) : len(part.text) + 1]
    return rest.startswith(part.text) and not (_is_word(part.text[-1]) and _is_word(following))


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def is_seen(shown: Shown, pressing_at: float, gap_ms: float) -> bool:
    """Returns whether the typist has noticed a suggestion when the next key is due, after a gap of ``gap_ms``."""
    since_ms = 1000 * (pressing_at - shown.since)
    return since_ms > (GLANCE_MS if gap_ms >= PAUSE_MS else 0)


def keys_of(text: str, start: int, end: int) -> list[str]:
    """Returns the keys that type a part of a text, each as the text that it writes."""
    return _KEY.findall(text, start, end)


def is_worth_a_key(part: Part, task: TypingTask, offset: int) -> bool:
    """Returns whether typing what a part would write takes more than the one key that accepts it."""
    return len(keys_of(task.text, offset, offset + len(part.text) - part.overwrites)) >= _FEWEST_KEYS


def hesitations(task: TypingTask, seed: int) -> tuple[float, ...]:
    """Returns the factor of the gap before each character. It is the same for each system, whatever it suggests."""
    rng = random.Random(f"{seed}/{task.name}")
    return tuple(rng.lognormvariate(0, SPREAD) for _ in task.typed)


def gap_ms(task: TypingTask, offset: int, hesitations: Sequence[float], accepted: bool) -> float:
    """Returns the milliseconds between the last key and the one that writes at ``offset``. ``accepted`` means that the
    last key accepted a suggestion."""
    line = task.text[max(0, task.text.rfind("\n", 0, offset)) : offset]
    pauses = accepted or _AFTER_WHICH_ONE_PAUSES.search(line) is not None
    return (THINKING_MS if pauses else GAP_MS) * hesitations[offset - len(task.before)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the typist does next: an edit that accepts a part of what is shown, or that types a key. ``sees_right``
    means that what is shown is right, whether or not it was noticed."""

    edit: Edit
    part: Part | None
    sees_right: bool


def choose(task: TypingTask, offset: int, shown: Shown | None, pressing_at: float, gap_ms: float) -> Choice:
    """Returns the next key, which is due after a gap of ``gap_ms``, with the cursor at ``offset``."""
    part = right_part(shown, task) if shown is not None else None
    if part and shown and is_seen(shown, pressing_at, gap_ms) and is_worth_a_key(part, task, offset):
        return Choice(Edit(Span(offset, offset + part.overwrites), part.text), part, sees_right=True)
    key = _KEY.match(task.text, offset, len(task.before) + len(task.typed))
    assert key is not None, "something is left to type"
    return Choice(Edit(Span(offset, offset), key.group()), None, sees_right=part is not None)


@dataclass
class Typist:
    """Types tasks at the rhythm of a seed. ``sleep`` waits for a number of seconds on the clock of the record's
    screen."""

    seed: int = 0
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    async def type(self, task: TypingTask, system: SuggestingSystem, record: Record) -> TypedSession:
        """Types a task on a system. Raises ``RuntimeError`` if the system failed."""
        screen, factors, presses = record.screen, hesitations(task, self.seed), list[Press]()
        document = Document(uri=task.uri, text=task.before + task.after, language=task.language, version=1)
        offset, end = len(task.before), len(task.before) + len(task.typed)
        await system.open(document, record)
        system.move(document, offset)
        gap, last = 1000 * READING_S, screen.now()
        while offset < end:
            if presses:
                gap = gap_ms(task, offset, factors, accepted=presses[-1].accepted is not None)
            await self.sleep(last + gap / 1000 - screen.now())
            record.check()
            shown, last = screen.shown, screen.now()
            choice = choose(task, offset, shown, last, gap)
            edit, part = choice.edit, choice.part
            document = document.with_edit(edit, document.version + 1)
            record.keys[document.version] = Pressed(at=last, number=len(presses), act=Act.ACCEPT if part else Act.TYPE)
            system.key(document, edit.span.start + len(edit.text), edit)
            if part is not None and shown is not None:
                system.accept(shown, part)
            left = screen.shown
            accepted = part.amount if part is not None else None
            presses.append(
                Press(
                    at=last,
                    gap_ms=gap,
                    offset=offset,
                    text=edit.text,
                    accepted=accepted,
                    right_before=choice.sees_right,
                    shown_after=left is not None and left.since < last,
                )
            )
            offset += len(edit.text) - len(edit.span)
        await system.close()
        assert document.text == task.text, "the typist ends with the file as it was"
        answered_at = min((answer.at for answer in record.answers), default=None)
        return TypedSession(
            task=task,
            presses=tuple(presses),
            appearances=tuple(screen.appearances),
            answered_at=answered_at,
            nothing_at={record.keys[one.version].number: one.at for one in record.answers if not one.insert},
        )
