"""The session around an engine that fails, loads slowly or is closed: control flow, with a scripted engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from codegemma_lsp import engines
from codegemma_lsp.completion import AdaptiveDebounce, Origin, Query
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine, EngineFailed, Generation, ModelUnusable, Request
from codegemma_lsp.session.engine_manager import Status
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

DOCUMENT = Document(uri="file:///a.py", text="x = ", language="python")
QUERY = Query(document=DOCUMENT, offset=4, path="a.py", explicit=True)


def session_with(monkeypatch: pytest.MonkeyPatch, *loaded: Engine | Exception) -> tuple[Session, list[Status]]:
    """A session whose loads give ``loaded`` one after the other, the last one again and again."""
    waiting = list(loaded)

    def load(settings: Settings, on_progress: Callable[[float], bool] = lambda _: True, **more: object) -> Engine:
        on_progress(0.5)
        engine = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(engine, Exception):
            raise engine
        return engine

    monkeypatch.setattr(engines, "load", load)
    statuses: list[Status] = []
    session = Session(statuses.append)
    session.initialize(None)
    session.open(DOCUMENT)
    return session, statuses


async def test_a_broken_engine_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = ScriptedEngine(error=EngineFailed("It broke; the engine starts again.")), ScriptedEngine("1")
    session, statuses = session_with(monkeypatch, broken, sound)
    await session.load()
    outcome = await session.complete(QUERY)
    assert (outcome.suggestion, outcome.reason) == (None, "It broke; the engine starts again.")
    async with asyncio.timeout(5):
        while session.manager.engine is not sound:
            await asyncio.sleep(0.01)
    assert (await session.complete(QUERY)).suggestion is not None
    assert "Warning" in [status.kind for status in statuses]
    assert statuses[-1].kind == "Normal"


async def test_an_engine_that_keeps_breaking_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = session_with(monkeypatch, ScriptedEngine(error=EngineFailed("It broke.")))
    await session.load()
    for _ in range(10):
        await session.complete(QUERY)
        await asyncio.sleep(0.02)
    assert session.manager.loads == 1 + 3


async def test_an_error_of_the_model_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    session, statuses = session_with(monkeypatch, ModelUnusable("It is no model."), ScriptedEngine("1"))
    session.trust_client()
    await session.load()
    assert statuses[-1] == Status(message="It is no model.", kind="Error")
    assert (await session.complete(QUERY)).reason == "It is no model."
    session.configure({"model": "/another.gguf"})
    await session.load()
    assert (await session.complete(QUERY)).suggestion is not None


async def test_a_bug_is_an_empty_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine("1")
    session, _ = session_with(monkeypatch, engine)
    await session.load()
    monkeypatch.setattr(engine, "generate", None)
    assert (await session.complete(QUERY)).reason == "it failed (TypeError)"


async def test_settings_that_change_no_model_load_none(monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = session_with(monkeypatch, ScriptedEngine("1"))
    await session.load()
    session.configure({"maxTokens": 7})
    await session.load()
    assert session.manager.loads == 1
    session.configure({"contextTokens": 512})
    await session.load()
    assert session.manager.loads == 2


async def test_leaving_while_the_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    engine = ScriptedEngine("1")
    closed = threading.Event()
    monkeypatch.setattr(engine, "close", closed.set)

    def load(settings: Settings, on_progress: Callable[[float], bool], **more: object) -> Engine:
        assert go_on.wait(5)
        return engine

    monkeypatch.setattr(engines, "load", load)
    session = Session(lambda status: None)
    loading = asyncio.create_task(session.load())
    await asyncio.sleep(0.02)
    leaving = asyncio.create_task(session.shut_down())
    go_on.set()
    await asyncio.gather(loading, leaving)
    assert closed.is_set()
    assert session.manager.engine is None


async def test_a_load_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = session_with(monkeypatch, ModelUnusable("It is no model."), ScriptedEngine("1"))
    await session.load()
    await session.load()
    assert (await session.complete(QUERY)).suggestion is not None


async def test_a_load_that_nobody_wants_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    closed: list[str] = []

    class Named(ScriptedEngine):
        def __init__(self, model: str) -> None:
            super().__init__("1")
            self.name = model

        def close(self) -> None:
            closed.append(self.name)

    def load(settings: Settings, on_progress: Callable[[float], bool], **more: object) -> Engine:
        asked.append(Path(settings.model).stem)
        for _ in range(500):
            if not on_progress(0.1) or settings.model != "/slow.gguf":
                break
            time.sleep(0.01)
        return Named(Path(settings.model).stem)

    monkeypatch.setattr(engines, "load", load)
    session = Session(lambda status: None)
    session.trust_client()
    session.configure({"model": "/slow.gguf"})
    slow = asyncio.create_task(session.load())
    await asyncio.sleep(0.05)
    session.configure({"model": "nano"})
    await asyncio.wait_for(asyncio.gather(slow, session.load()), 4)
    assert (asked, closed) == (["slow", "nano"], ["slow"])
    assert session.manager.engine is not None
    assert session.manager.engine.name == "nano"


async def test_an_engine_replaced_during_the_debounce_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ScriptedEngine("1"), ScriptedEngine("2")
    session, _ = session_with(monkeypatch, first, second)
    session.completions.debounce = AdaptiveDebounce(deque([50.0]), deque([100.0, 100.0]))
    session.configure({"debounceMs": 300})
    await session.load()
    running = asyncio.create_task(session.complete(Query(document=DOCUMENT, offset=4, path="a.py")))
    await asyncio.sleep(0.01)
    session.configure({"contextTokens": 512})
    await session.load()
    outcome = await running
    assert outcome.suggestion is not None
    assert outcome.suggestion.text == "2"
    assert not first.requests


async def test_a_relative_path_is_no_model_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace may come with a file of its own that looks like a model."""
    session, statuses = session_with(monkeypatch, ScriptedEngine("1"))
    session.trust_client()
    session.configure({"model": "models/mine.gguf"})
    await session.load()
    assert statuses[-1].kind == "Error"
    assert "write the whole path" in statuses[-1].message


async def test_whoever_asks_gets_others_where_the_first_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drawn(ScriptedEngine):
        async def generate(self, request: Request) -> Generation:
            self.answer = str(request.sampling.seed) if request.sampling.temperature else "= ="
            return await super().generate(request)

    session, _ = session_with(monkeypatch, Drawn())
    session.configure({"alternatives": 2, "seed": 5, "warmUp": False})
    await session.load()
    for origin, texts in (Origin.MODEL, ["6", "7"]), (Origin.REUSE, ["6", "7", "8"]):
        asked = await session.complete(QUERY)
        assert asked.suggestion is not None
        assert [asked.suggestion.text, *(one.text for one in asked.others)] == texts
        assert (asked.origin, asked.reason) == (origin, "")
