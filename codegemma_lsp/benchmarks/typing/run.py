"""Runs systems in turns on the same sessions, and the server with each mechanism switched off."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

from codegemma_lsp.benchmarks.typing.baseline import N_PREDICT, LlamaVim
from codegemma_lsp.benchmarks.typing.replay import Counters, Record, System, play
from codegemma_lsp.benchmarks.typing.server import SERVER, CodegemmaServer
from codegemma_lsp.benchmarks.typing.sessions import Rhythm, Session, sessions
from codegemma_lsp.benchmarks.typing.summary import Measured, Summary, summarize
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.threads import processors
from codegemma_lsp.settings import Settings

OnProgress: TypeAlias = Callable[[str], None]
"""Called with a description of what is measured next."""

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
    "a debounce of 300 ms": {"debounceMs": 300},
    "whole answers only": {"answerWithinMs": 0},
    "whole windows only": {"firstWindowMs": 0},
    "no warm-up": {"warmUp": False},
    "a thread a processor": {"threads": processors()},
    "everything on, again": {},
}
"""The settings of each run. The last run shows how much two equal runs differ."""
_CANCELS = 12
_CANCEL_WITHIN_S = 0.08


async def beside(
    systems: Sequence[System],
    played: Sequence[Session],
    rhythm: Rhythm,
    on_progress: OnProgress,
    cancels: int = 0,
    seed: int = 0,
) -> dict[str, Measured]:
    """Plays every session on every system in turns, so that a busy moment of the machine affects all of them. Each
    system is started for it, so that its caches are empty."""
    measured = {system.name: Measured() for system in systems}
    async with AsyncExitStack() as started:
        for system in systems:
            on_progress(f"starting {system.name}")
            await system.start()
            started.push_async_callback(system.stop)
        for turn, session in enumerate(played):
            for system in systems if turn % 2 == 0 else list(reversed(systems)):
                on_progress(f"{system.name}: {session.name}, {rhythm.value}")
                await _measure(system, session, rhythm, measured[system.name])
        for system in systems if cancels else ():
            on_progress(f"{system.name}: cancelling")
            measured[system.name].cancels = await _cancels(system, played[-1], cancels, random.Random(seed))
    return measured


async def _measure(system: System, session: Session, rhythm: Rhythm, measured: Measured) -> None:
    before = await system.counters()
    measured.records.append(await play(session, system, rhythm))
    measured.used.append(difference(await system.counters(), before))


def difference(after: Counters, before: Counters) -> Counters:
    """Returns what was used between two counts. The memory is that of the later one."""
    return Counters(
        prefill_tokens=after.prefill_tokens - before.prefill_tokens,
        completion_tokens=after.completion_tokens - before.completion_tokens,
        rejected_tokens=after.rejected_tokens - before.rejected_tokens,
        cpu_s=after.cpu_s - before.cpu_s,
        rss_mb=after.rss_mb,
    )


async def _cancels(system: System, session: Session, count: int, rng: random.Random) -> list[tuple[float, int | None]]:
    """Cancels requests at new positions after random times."""
    document = Document(uri="file:///workspace/cancelled.py", text=session.text, language="python", version=1)
    await system.open(document, Record())
    lines = rng.sample(range(document.line_count), min(count, document.line_count))
    found = []
    for line in lines:
        cancelled = await system.cancel(document, document.line_span(line).end, rng.random() * _CANCEL_WITHIN_S)
        if cancelled is not None:
            found.append(cancelled)
    await system.close()
    return found


async def against_baseline(
    model: Path | None,
    settings: Settings,
    played: Sequence[Session],
    rhythms: Sequence[Rhythm],
    on_progress: OnProgress,
) -> AsyncIterator[tuple[Rhythm, dict[str, Measured], dict[str, Any]]]:
    """Yields, for each rhythm, the results of codegemma-lsp and llama-server with the same model and context, and facts
    about llama-server.

    Each system has its own limit of new tokens unless ``max_tokens`` is set, and the number of threads that is fastest
    for it. Without a ``model``, only codegemma-lsp is measured.
    """
    predict = settings.max_tokens if "max_tokens" in settings.model_fields_set else N_PREDICT

    def baseline_with(threads: int) -> LlamaVim:
        assert model is not None
        return LlamaVim(model, threads, settings.context_tokens, predict, settings.gpu_layers)

    if model is None:
        for rhythm in rhythms:
            yield (
                rhythm,
                await beside([CodegemmaServer(SERVER, as_options(settings))], played, rhythm, on_progress, _CANCELS),
                {},
            )
        return
    on_progress("measuring llama-server's threads")
    threads = await fastest_threads(baseline_with, settings.threads, played[0].text)
    for rhythm in rhythms:
        server, baseline = CodegemmaServer(SERVER, as_options(settings)), baseline_with(threads)
        measured = await beside([server, baseline], played, rhythm, on_progress, _CANCELS, settings.seed)
        yield rhythm, measured, {"threads": threads, "kernels": baseline.kernels}


async def fastest_threads(baseline_with: Callable[[int], LlamaVim], threads: int, text: str) -> int:
    """Returns ``threads`` or the number of processors, whichever is faster for llama-server in a file with this
    text."""
    times = {count: await _time(baseline_with(count), text) for count in sorted({threads, processors()})}
    return min(times, key=lambda count: times[count])


async def _time(baseline: LlamaVim, text: str) -> float:
    """Returns the seconds for a few keys after the first one."""
    await baseline.start()
    try:
        record, took = Record(), 0.0
        document = Document(uri="file:///workspace/threads.py", text=text, language="python", version=1)
        await baseline.open(document, record)
        at = document.line_span(document.line_count // 2).end
        for i in range(4):
            began, edit = time.perf_counter(), Edit(Span(at + i, at + i), "x")
            document = document.with_edit(edit, document.version + 1)
            baseline.key(document, at + i + 1, edit)
            await baseline.close()
            took += time.perf_counter() - began if i else 0.0
        return took
    finally:
        await baseline.stop()


async def mechanics(settings: Settings, seed: int, keys: int | None, on_progress: OnProgress) -> dict[str, Summary]:
    """Plays the same short session with each mechanism switched off in turn, at a person's rhythm."""
    played = sessions(seed, keys, typed=100)[-1:]
    found = {}
    for name, switched in MECHANICS.items():
        system = CodegemmaServer(name, {**as_options(settings), **switched})
        measured = await beside([system], played, Rhythm.PERSON, on_progress)
        found[name] = summarize(measured[name])
    return found


def as_options(settings: Settings) -> dict[str, Any]:
    """Returns settings in the form of an editor's settings."""
    return settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
