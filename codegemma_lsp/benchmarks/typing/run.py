"""Runs systems side by side on the same sessions, and each mechanism with its switch off."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

from codegemma_lsp.benchmarks.typing.ours import Ours
from codegemma_lsp.benchmarks.typing.peer import N_PREDICT, LlamaVim
from codegemma_lsp.benchmarks.typing.replay import Counters, Record, System, play
from codegemma_lsp.benchmarks.typing.sessions import Rhythm, Session, sessions
from codegemma_lsp.benchmarks.typing.summary import Measured, Summary, summarize
from codegemma_lsp.document import Document, Edit, Span
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
    "streams not gone on with": {"joinStream": False},
    "no prefetch": {"prefetch": False},
    "no drafts": {"drafts": 0},
    "no early stop": {"earlyStop": False},
    "no debounce": {"debounceMs": 0},
    "no warm-up": {"warmUp": False},
    "a thread a processor": {"threads": processors()},
    "everything on, again": {},
}
"""The last row tells how far apart two runs of the same are."""
_CANCELS = 12
_CANCEL_WITHIN_S = 0.08


async def beside(
    systems: Sequence[System], played: Sequence[Session], rhythm: Rhythm, told: Told, cancels: int = 0, seed: int = 0
) -> dict[str, Measured]:
    """Every session on every system, in turns, so that a busy moment of the machine strikes them alike; each system is
    started for it, so that nothing of an earlier run is in its caches."""
    measured = {system.name: Measured() for system in systems}
    async with AsyncExitStack() as started:
        for system in systems:
            told(f"starting {system.name}")
            await system.start()
            started.push_async_callback(system.stop)
        for turn, session in enumerate(played):
            for system in systems if turn % 2 == 0 else list(reversed(systems)):
                told(f"{system.name}: {session.name}, {rhythm.value}")
                await _measure(system, session, rhythm, measured[system.name])
        for system in systems if cancels else ():
            told(f"{system.name}: cancelling")
            measured[system.name].cancels = await _cancels(system, played[-1], cancels, random.Random(seed))
    return measured


async def _measure(system: System, session: Session, rhythm: Rhythm, measured: Measured) -> None:
    before = await system.counters()
    measured.records.append(await play(session, system, rhythm))
    after = await system.counters()
    measured.used.append(
        Counters(
            after.read - before.read,
            after.generated - before.generated,
            after.rejected - before.rejected,
            after.cpu_s - before.cpu_s,
            after.rss_mb,
        )
    )


async def _cancels(system: System, session: Session, count: int, rng: random.Random) -> list[tuple[float, int | None]]:
    """Requests at places not seen before, given up at random moments."""
    document = Document("file:///workspace/cancelled.py", session.text, "python", 1)
    await system.open(document, Record())
    lines = rng.sample(range(document.line_count), min(count, document.line_count))
    found = []
    for line in lines:
        cancelled = await system.cancel(document, document.line_span(line).end, rng.random() * _CANCEL_WITHIN_S)
        if cancelled is not None:
            found.append(cancelled)
    await system.close()
    return found


async def against_the_peer(
    model: Path | None, settings: Settings, played: Sequence[Session], rhythms: Sequence[Rhythm], told: Told
) -> AsyncIterator[tuple[Rhythm, dict[str, Measured], dict[str, Any]]]:
    """Both on the same file, with the same context, rhythm by rhythm, and what is to be known of the peer. Each with
    its own limit of new tokens unless ``max_tokens`` was set, and with the threads that are fastest for it. Without a
    ``model``, ours alone."""
    predict = settings.max_tokens if "max_tokens" in settings.model_fields_set else N_PREDICT

    def peer_with(threads: int) -> LlamaVim:
        assert model is not None
        return LlamaVim(model, threads, settings.context_tokens, predict, settings.gpu_layers)

    if model is None:
        for rhythm in rhythms:
            yield rhythm, await beside([Ours(OURS, as_options(settings))], played, rhythm, told, _CANCELS), {}
        return
    told("measuring the peer's threads")
    times = {count: await _time(peer_with(count), played[0]) for count in {settings.threads, processors()}}
    threads = min(times, key=lambda count: times[count])
    for rhythm in rhythms:
        ours, peer = Ours(OURS, as_options(settings)), peer_with(threads)
        measured = await beside([ours, peer], played, rhythm, told, _CANCELS, settings.seed)
        yield rhythm, measured, {"threads": threads, "kernels": peer.kernels}


async def _time(peer: LlamaVim, session: Session) -> float:
    """Seconds for a few keys after the first."""
    await peer.start()
    try:
        record, took = Record(), 0.0
        document = Document("file:///workspace/threads.py", session.text, "python", 1)
        await peer.open(document, record)
        at = document.line_span(document.line_count // 2).end
        for i in range(4):
            began, edit = time.perf_counter(), Edit(Span(at + i, at + i), "x")
            document = document.with_edit(edit, document.version + 1)
            peer.key(document, at + i + 1, edit)
            await peer.close()
            took += time.perf_counter() - began if i else 0.0
        return took
    finally:
        await peer.stop()


async def mechanics(settings: Settings, seed: int, keys: int | None, told: Told) -> dict[str, Summary]:
    """The same short session with each mechanism switched off in turn, at a person's rhythm."""
    played = sessions(seed, keys, typed=100)[-1:]
    found = {}
    for name, switched in MECHANICS.items():
        system = Ours(name, {**as_options(settings), **switched})
        measured = await beside([system], played, Rhythm.PERSON, told)
        found[name] = summarize(measured[name])
    return found


def as_options(settings: Settings) -> dict[str, Any]:
    """As an editor would write them."""
    return settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
