"""Runs systems side by side on the same sessions, and each mechanism with its switch off."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from codegemma_lsp.bench.ours import Ours
from codegemma_lsp.bench.peer import N_PREDICT, LlamaVim
from codegemma_lsp.bench.replay import Counters, Record, System, play
from codegemma_lsp.bench.sessions import Rhythm, Session, sessions
from codegemma_lsp.bench.summary import Summary, summarize
from codegemma_lsp.document import Document
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.settings import Settings

Told: TypeAlias = Callable[[str], None]
"""Is told what comes next."""

OURS = "codegemma-lsp"
MECHANICS: dict[str, Mapping[str, Any]] = {
    "everything on": {},
    "layout psm": {"layout": "psm"},
    "layout spm": {"layout": "spm"},
    "window moves by the line": {"windowStep": 1},
    "one slot": {"slots": 1},
    "streams not joined": {"joinStream": False},
    "no prefetch": {"prefetch": False},
    "no drafts": {"drafts": 0},
    "no early stop": {"earlyStop": False},
    "never waits (debounce)": {"debounceMs": 0},
    "no warm-up": {"warmUp": False},
    "a thread a processor": {"threads": processors()},
}
_CANCELS = 12
_CANCEL_WITHIN_S = 0.08


@dataclass
class Measured:
    """One system's records by rhythm, and what they cost."""

    records: dict[Rhythm, list[Record]] = field(default_factory=dict)
    used: dict[Rhythm, list[Counters]] = field(default_factory=dict)
    cancels: list[tuple[float, int]] = field(default_factory=list)

    def summary(self, rhythm: Rhythm) -> Summary:
        return summarize(self.records[rhythm], self.used[rhythm], self.cancels)


async def beside(
    systems: Sequence[System], played: Sequence[Session], rhythms: Sequence[Rhythm], seed: int, told: Told
) -> dict[str, Measured]:
    """Every session on every system, in turns, so that a busy moment of the machine strikes them alike."""
    measured = {system.name: Measured() for system in systems}
    for system in systems:
        told(f"starting {system.name}")
        await system.start()
    try:
        for rhythm in rhythms:
            for turn, session in enumerate(played):
                for system in systems if turn % 2 == 0 else list(reversed(systems)):
                    told(f"{system.name}: {session.name}, {rhythm.value}")
                    await _measure(system, session, rhythm, measured[system.name])
        for system in systems:
            told(f"{system.name}: cancelling")
            measured[system.name].cancels = await _cancels(system, played[-1], random.Random(seed))
    finally:
        for system in systems:
            await system.stop()
    return measured


async def _measure(system: System, session: Session, rhythm: Rhythm, measured: Measured) -> None:
    before = await system.counters()
    record = await play(session, system, rhythm)
    after = await system.counters()
    used = Counters(
        after.read - before.read, after.generated - before.generated, after.cpu_s - before.cpu_s, after.rss_mb
    )
    measured.records.setdefault(rhythm, []).append(record)
    measured.used.setdefault(rhythm, []).append(used)


async def _cancels(system: System, session: Session, rng: random.Random) -> list[tuple[float, int]]:
    """Requests at places not seen before, given up at random moments."""
    document = Document("file:///workspace/cancelled.py", session.text, "python", 1)
    await system.open(document, Record())
    lines = rng.sample(range(document.line_count), min(_CANCELS, document.line_count))
    found = []
    for line in lines:
        cancelled = await system.cancel(document, document.line_span(line).end, rng.random() * _CANCEL_WITHIN_S)
        if cancelled is not None:
            found.append(cancelled)
    await system.close()
    return found


async def against_the_peer(
    model: Path, settings: Settings, threads: int, played: Sequence[Session], rhythms: Sequence[Rhythm], told: Told
) -> dict[str, Measured]:
    """Both on the same file, with the same context and threads; each with its own limit of new tokens, unless
    ``max_tokens`` was set."""
    predict = settings.max_tokens if "max_tokens" in settings.model_fields_set else N_PREDICT
    ours = Ours(OURS, {**_as_options(settings), "model": settings.model, "threads": threads})
    peer = LlamaVim(model, threads, settings.context_tokens, predict)
    return await beside([ours, peer], played, rhythms, settings.seed, told)


async def mechanics(settings: Settings, threads: int, seed: int, keys: int | None, told: Told) -> dict[str, Summary]:
    """The same short session with each mechanism switched off in turn, at a person's rhythm."""
    (played,) = sessions(seed, keys, typed=100)[-1:]
    found = {}
    for name, switched in MECHANICS.items():
        system = Ours(name, {**_as_options(settings), "threads": threads, **switched})
        measured = await beside([system], [played], [Rhythm.PERSON], seed, told)
        found[name] = measured[name].summary(Rhythm.PERSON)
    return found


def _as_options(settings: Settings) -> dict[str, Any]:
    """As an editor would write them."""
    return settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
