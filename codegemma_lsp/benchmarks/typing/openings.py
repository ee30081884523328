"""Measures how long the first suggestion takes after a file is opened, after a jump in it, and after a return to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from codegemma_lsp.benchmarks.typing.replay import Pressed, Record
from codegemma_lsp.benchmarks.typing.sessions import Act
from codegemma_lsp.benchmarks.typing.typed_files import SourceFile, function_bodies
from codegemma_lsp.benchmarks.typing.typist import SuggestingSystem, TypingTask, keys_of
from codegemma_lsp.document import Document, Edit, Span

LINES = 2000
"""The number of lines of the file that is opened."""
OTHERS = 3
"""The number of files that are opened between leaving the file and returning to it."""
_PLACES = (0.5, 0.8)
"""The places in the file, as shares of its length, at which keys are typed after opening it and after a jump. After the
return, typing continues where the file was left."""
_PATIENCE_S, _POLL_S = 60.0, 0.002
_AFTER_NOTHING_S = 0.3
"""The number of seconds to wait for a suggestion after an answer without one, before the next key."""


@dataclass(frozen=True, slots=True)
class Openings:
    """The milliseconds to the first suggestion on the screen, from opening the file with a request, from the first key
    after a jump, and from the first key after the return. A value is None if there was no suggestion within a
    minute."""

    cold_open_ms: float | None
    jump_ms: float | None
    return_ms: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place at which keys are typed, in the file from which ``typed`` was taken out."""

    offset: int
    typed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file without some function bodies, and the places where they are missing, in the order of ``_PLACES``. ``uri``
    is where it is."""

    uri: str
    language: str
    text: str
    places: tuple[Place, ...]


def opened_file(file: SourceFile) -> OpenedFile:
    """Takes the bodies that are nearest to the places out of a file. Raises ``ValueError`` if it has too few."""
    bodies = function_bodies(file)
    chosen: list[Span] = []
    for share in _PLACES:
        free = [body for body in bodies if body not in chosen]
        chosen.append(min(free, key=lambda body: abs(body.start - share * len(file.text))))
    inorder = sorted(chosen, key=lambda body: body.start)
    ends = [Span(0, 0), *inorder, Span(len(file.text), len(file.text))]
    text = "".join(file.text[a.end : b.start] for a, b in pairwise(ends))
    places = tuple(
        Place(
            body.start - sum(len(other) for other in inorder if other.start < body.start),
            file.text[body.start : body.end],
        )
        for body in chosen
    )
    return OpenedFile(uri=f"{file.folder}/{file.name}", language=file.language, text=text, places=places)


async def measure_openings(system: SuggestingSystem, file: OpenedFile, others: Sequence[TypingTask]) -> Openings:
    """Measures a system that was just started. Raises ``RuntimeError`` if it failed."""
    document = Document(uri=file.uri, text=file.text, language=file.language, version=1)
    cold, jump = file.places
    writer = _Writer(system)
    began = time.perf_counter()
    await writer.open(document)
    cold_ms = await writer.until_shown(cold, began)
    writer.move(jump)
    jump_ms = await writer.until_shown(jump, time.perf_counter())
    document = writer.document
    for task in others:
        await writer.open(Document(uri=task.uri, text=task.before + task.after, language=task.language, version=1))
        there = Place(len(task.before), task.typed)
        writer.move(there)
        await writer.until_shown(there, time.perf_counter())
    await writer.open(document)
    writer.move(jump)
    return_ms = await writer.until_shown(jump, time.perf_counter())
    await system.close()
    return Openings(cold_ms, jump_ms, return_ms)


class _Writer:
    """Types at places of one document after another, and keeps how far earlier edits have moved a place."""

    def __init__(self, system: SuggestingSystem) -> None:
        self._system = system
        self._record = Record()
        self._edits: dict[str, list[Edit]] = {}
        self.document = Document(uri="", text="")

    async def open(self, document: Document) -> None:
        self.document, self._record = document, Record()
        await self._system.open(document, self._record)

    def _offset(self, place: Place) -> int:
        """Returns the offset after what was already typed at a place."""
        edits = self._edits.get(self.document.uri, [])
        return place.offset + sum(len(edit.text) for edit in edits if edit.span.start <= place.offset)

    def _typed(self, place: Place) -> int:
        edits = self._edits.get(self.document.uri, [])
        return sum(len(edit.text) for edit in edits if edit.span.start == place.offset)

    def move(self, place: Place) -> None:
        self._system.move(self.document, self._offset(place))

    async def until_shown(self, place: Place, began: float) -> float | None:
        """Types at a place until there is a suggestion, and waits for what still runs. Returns the milliseconds since
        ``began``, or None."""
        offset, edits, found = self._offset(place), list[Edit](), None
        limit = time.perf_counter() + _PATIENCE_S
        for key in keys_of("\n" + place.typed, 1 + self._typed(place), 1 + len(place.typed)):
            edit = Edit(Span(offset, offset), key)
            edits.append(edit)
            offset += len(key)
            self.document = self.document.with_edit(edit, self.document.version + 1)
            self._record.keys[self.document.version] = Pressed(at=time.perf_counter(), number=len(edits), act=Act.TYPE)
            self._system.key(self.document, offset, edit)
            if (found := await self._shown(limit)) is not None or time.perf_counter() >= limit:
                break
        typed = "".join(edit.text for edit in edits)
        self._edits.setdefault(self.document.uri, []).append(Edit(Span(place.offset, place.offset), typed))
        await self._system.settle()
        return None if found is None else 1000 * (found - began)

    async def _shown(self, limit: float) -> float | None:
        """Returns when a suggestion appeared, or None if the answer was empty or there is none in time."""
        version = self.document.version
        while (now := time.perf_counter()) < limit:
            self._record.check()
            if (shown := self._record.screen.shown) is not None:
                return shown.since
            answer = self._record.first(version)
            if answer is not None and now - answer.at > _AFTER_NOTHING_S:
                return None
            await asyncio.sleep(_POLL_S)
        return None
