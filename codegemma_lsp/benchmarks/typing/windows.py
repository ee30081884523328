"""Types in several windows, through one host and with a process for each, and measures what sharing saves and costs."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from statistics import median

import psutil

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.statistics import percentile
from codegemma_lsp.benchmarks.typing.chats import ChattingServer
from codegemma_lsp.benchmarks.typing.replay import Record, play
from codegemma_lsp.benchmarks.typing.run import OnProgress, as_options
from codegemma_lsp.benchmarks.typing.server import CodegemmaServer
from codegemma_lsp.benchmarks.typing.sessions import PACKAGE, Act, Rhythm, Session, session
from codegemma_lsp.benchmarks.typing.summary import Measured
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document, Edit
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host.place import FOLDER_VARIABLE
from codegemma_lsp.engines.protocol import Engine, ModelNotFound
from codegemma_lsp.engines.selection import select_chat
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.settings import Settings

KEYS = 90
"""The number of keys that are pressed in each window."""
_AT_ONCE = 2
"""About how many windows are typed in at any time. Their people do not type all the time."""
_MOST_CHARACTERS = 20_000
_READS_S = 3.0
"""The number of seconds for which a person looks at a file before typing. What opening a file costs, ``openings``
measures."""


class Window(CodegemmaServer):
    """A window whose person reads first."""

    async def open(self, document: Document, record: Record) -> None:
        await super().open(document, record)
        await asyncio.sleep(_READS_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What windows measured together: milliseconds from a key to its answer, the megabytes of memory of all their
    engines' processes, with shared pages in equal parts where the system tells them, and each window's share of the
    engines' time, where one process knows it."""

    p50_ms: float
    p95_ms: float
    keys: int
    memory_mb: float
    engine_shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The figures of ``count`` windows. ``own`` have a process each, and ``shared`` use the host. ``beside_chat`` is a
    window of the host while another one chats, and ``before_chat`` the same window without it; both are None if there
    is no chat model. ``key_ms`` is what a key costs in the process of the caller and through the host, at the median,
    and ``key_more_ms`` the median of the differences."""

    count: int
    lone_own: Typed
    lone_shared: Typed
    own: Typed
    shared: Typed
    before_chat: Typed | None
    beside_chat: Typed | None
    key_ms: tuple[float, float]
    key_more_ms: float


@contextmanager
def own_host() -> Iterator[dict[str, str]]:
    """Yields the environment of windows that share a host which nobody else uses, and ends it. Commands of this process
    find the same host."""
    before = os.environ.get(FOLDER_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="codegemma-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield {FOLDER_VARIABLE: folder, "CODEGEMMA_SHARE_MODEL": "true"}
        finally:
            client.stop()
            os.environ.pop(FOLDER_VARIABLE)
            if before is not None:
                os.environ[FOLDER_VARIABLE] = before


def sessions_of(count: int, seed: int, keys: int) -> list[Session]:
    """Returns a session for each window, in different files of this package."""
    rng = random.Random(seed)
    paths = sorted(path for path in PACKAGE.rglob("*.py") if path.stat().st_size < _MOST_CHARACTERS)
    rng.shuffle(paths)
    found: list[Session] = []
    for path in paths:
        name = path.relative_to(PACKAGE).as_posix().replace("/", "_")
        with suppress(ValueError, StopIteration, IndexError, ZeroDivisionError):  # too little to type
            found.append(session(name, path.read_text("utf-8"), rng, 180, keys))
        if len(found) == count:
            break
    return found


async def measure(settings: Settings, count: int, seed: int, keys: int | None, on_progress: OnProgress) -> Windows:
    """Returns the figures of ``count`` windows. Raises ``RuntimeError``, and what engines raise."""
    played, options = sessions_of(count, seed, keys or KEYS), as_options(settings)

    def windows(number: int, environment: dict[str, str] | None = None) -> list[Window]:
        return [Window(f"window {at + 1}", options, environment=environment) for at in range(number)]

    on_progress("one window with a process of its own")
    lone_own = await _alone(windows(1)[0], played)
    on_progress(f"{count} windows with a process each")
    own = await _together(windows(count), played)
    with own_host() as environment:
        on_progress("one window that uses the host")
        lone_shared = await _alone(windows(1, environment)[0], played)
    with own_host() as environment:
        on_progress(f"{count} windows that share the host")
        shared = await _together(windows(count, environment), played, is_shared=True)
    before_chat, beside_chat = await _beside_chat(settings, played, on_progress)
    on_progress("what a key costs through the host")
    with own_host():
        near_ms, far_ms, more_ms = await _key_costs(settings, played[0])
    return Windows(
        count=count,
        lone_own=lone_own,
        lone_shared=lone_shared,
        own=own,
        shared=shared,
        before_chat=before_chat,
        beside_chat=beside_chat,
        key_ms=(near_ms, far_ms),
        key_more_ms=more_ms,
    )


@asynccontextmanager
async def _running(windows: Sequence[CodegemmaServer]) -> AsyncIterator[None]:
    async with AsyncExitStack() as started:
        for window in windows:
            await window.start()
            started.push_async_callback(window.stop)
        yield


async def _alone(window: CodegemmaServer, played: Sequence[Session]) -> Typed:
    """Plays all sessions in one window, one after another."""
    async with _running([window]):
        records = [await play(one, window, Rhythm.PERSON) for one in played]
        return _typed(records, await _memory_mb([window]))


async def _together(windows: Sequence[CodegemmaServer], played: Sequence[Session], *, is_shared: bool = False) -> Typed:
    """Plays a session in each window. The windows begin one after another, so that about two are typed in at once."""

    async def begin(number: int, window: CodegemmaServer) -> Record:
        await asyncio.sleep(number * length_s / _AT_ONCE)
        return await play(played[number], window, Rhythm.PERSON)

    length_s = median(sum(key.gap_ms for key in one.keys) for one in played) / 1000
    async with _running(windows):
        records = await asyncio.gather(*(begin(*one) for one in enumerate(windows)))
        status = await asyncio.to_thread(client.status) if is_shared else None
        times = status.engine_ms if status is not None else ()
        shares = tuple(ms / max(1e-9, sum(times)) for ms in times)
        return _typed(records, await _memory_mb(windows), shares)


async def _beside_chat(
    settings: Settings, played: Sequence[Session], on_progress: OnProgress
) -> tuple[Typed | None, Typed | None]:
    try:
        select_chat(settings)
    except ModelNotFound:
        return None, None
    options = as_options(settings)
    with own_host() as environment:
        typing = Window("typing", options, environment=environment)
        chatting = ChattingServer("chatting", options, environment)
        async with _running([typing, chatting]):
            on_progress("a window before another one chats")
            before = await _typed_in(typing, played)
            on_progress("a window while another one chats")
            beside_document = Document(uri="file:///workspace/chat.py", text="", language="python", version=1)
            await chatting.open(beside_document, Record())
            beside = await _typed_in(typing, played)
            await chatting.close()
    return before, beside


async def _typed_in(window: CodegemmaServer, played: Sequence[Session]) -> Typed:
    return _typed([await play(one, window, Rhythm.PERSON) for one in played[:2]], await _memory_mb([window]))


async def _key_costs(settings: Settings, played: Session) -> tuple[float, float, float]:
    """Returns the medians of what a key costs in this process and through the host, and of the differences. Each key is
    asked of both engines, in turns first, and nothing else runs."""
    far = await asyncio.to_thread(engines.load, settings, process=EngineProcess(client.connect))
    try:
        near = await asyncio.to_thread(engines.load, settings)
        try:
            pairs = await _pairs(near, far, settings, played)
        finally:
            await asyncio.to_thread(near.close)
    finally:
        await asyncio.to_thread(far.close)
    return median(one for one, _ in pairs), median(two for _, two in pairs), median(two - one for one, two in pairs)


async def _pairs(near: Engine, far: Engine, settings: Settings, played: Session) -> list[tuple[float, float]]:
    states = {near: DocumentState(), far: DocumentState()}
    document = Document(uri="file:///workspace/" + played.name, text=played.text, language="python", version=1)
    found = []
    for number, key in enumerate(played.keys):
        if key.act not in (Act.TYPE, Act.DELETE):
            continue
        document = document.with_edit(Edit(key.span, key.text), document.version + 1)
        query = Query(document=document, offset=key.span.start + len(key.text), path=played.name)
        took = {}
        for engine in (near, far) if number % 2 else (far, near):
            began = time.perf_counter()
            await complete(query, states[engine], engine, settings)
            took[engine] = 1000 * (time.perf_counter() - began)
        found.append((took[near], took[far]))
    return found


async def _memory_mb(windows: Sequence[CodegemmaServer]) -> float:
    processes = {await window.engine_process() for window in windows}
    return sum(_held(psutil.Process(process)) for process in processes) / 1e6


def _held(process: psutil.Process) -> float:
    """Returns the bytes of a process, in which a page of several processes counts in part, where the system tells."""
    try:
        found = process.memory_full_info()
    except psutil.AccessDenied:
        found = process.memory_info()
    return float(getattr(found, "pss", 0) or found.rss)


def _typed(records: Sequence[Record], memory_mb: float, shares: tuple[float, ...] = ()) -> Typed:
    measured = Measured(records=list(records))
    waits = [wait.ms for wait in measured.waits(measured.typed())]
    return Typed(
        p50_ms=percentile(waits, 50),
        p95_ms=percentile(waits, 95),
        keys=len(waits),
        memory_mb=memory_mb,
        engine_shares=shares,
    )
