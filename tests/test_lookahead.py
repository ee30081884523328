"""A session that goes on with streams, fetches ahead, warms up and waits: with the real engine, and where the order of
events matters with one that is told when to go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from codegemma_lsp.completion import AdaptiveDebounce, Origin, Outcome, Query, Suggestion
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.protocol import Finish, Generation, Priority, Request, Usage
from codegemma_lsp.session.prefetcher import opening_offset
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine
from tests.traced import AT, SOURCE

URI = "file:///document.py"


class Stepping(ScriptedEngine):
    """Streams a character a step, and takes no step until told; keeps what a cancelled request had made."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.steps = asyncio.Semaphore(0)

    async def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        progress = request.progress
        assert progress is not None
        while len(progress.text) < len(self.answer):
            await self.steps.acquire()
            progress.text = self.answer[: len(progress.text) + 1]
            if request.on_text is not None and request.on_text(progress.text):
                return Generation(text=progress.text, finish=Finish.ON_TEXT, usage=Usage())
        return Generation(
            text=progress.text,
            finish=Finish.STOP_TOKEN,
            usage=Usage(prompt_tokens=1, prefill_tokens=1),
            logprobs=(-0.1,),
            ends=(len(progress.text),),
        )


@asynccontextmanager
async def session_on(text: str, **how: object) -> AsyncIterator[Session]:
    session = Session(lambda status: None)
    session.configure({"threads": 1, "minConfidence": -9, "prefetch": False, "answerWithinMs": 0, **how})
    session.open(Document(uri=URI, text=text, language="python"))
    await session.load()
    yield session
    await session.shut_down()


def query(session: Session, offset: int) -> Query:
    return Query(document=session.documents[URI], offset=offset, path="document.py")


def typed(session: Session, offset: int, text: str) -> Query:
    """The document with ``text`` typed at an offset, and the query behind it."""
    session.change(session.documents[URI].with_edit(Edit(Span(offset, offset), text)))
    return query(session, offset + len(text))


async def settled(session: Session) -> None:
    """Waits until nothing runs ahead."""
    async with asyncio.timeout(20):
        while not session.completions.prefetcher.idle:
            await asyncio.sleep(0.005)


async def first_suggestion(session: Session) -> tuple[int, str]:
    """Opens our source cut at one place after the other until the model suggests something of some length there."""
    for at in range(AT, 1000, -97):
        session.open(Document(uri=URI, text=SOURCE[:at], language="python"))
        outcome = await session.complete(query(session, at))
        if outcome.suggestion is not None and len(outcome.suggestion.text) > 5:
            return at, outcome.suggestion.text
    pytest.fail("the model has nothing to say")


def shown(outcome: Outcome) -> Suggestion:
    assert outcome.suggestion is not None, outcome.reason
    return outcome.suggestion


@pytest.mark.parametrize("prefetch", [True, False])
async def test_what_follows_an_accepted_suggestion_is_there_already(prefetch: bool) -> None:
    async with session_on("", prefetch=prefetch) as session:
        at, first = await first_suggestion(session)
        await settled(session)
        outcome = await session.complete(typed(session, at, first))
        assert outcome.origin is (Origin.REUSE if prefetch else Origin.MODEL)


async def test_typing_the_suggestion_keeps_what_is_fetched_ahead() -> None:
    async with session_on("", prefetch=True) as session:
        at, first = await first_suggestion(session)
        task = session.completions.prefetcher._tasks[URI]
        for i in range(2):
            rest = await session.complete(typed(session, at + i, first[i]))
            assert shown(rest).text == first[i + 1 :]
            assert session.completions.prefetcher._tasks[URI] is task
        other = await session.complete(typed(session, at + 2, "☃"))
        assert other.origin is not Origin.REUSE


async def test_what_was_typed_of_a_stream_is_not_generated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Stepping("value = 1")
    async with session_on("x\n\ny\n") as session:
        session.manager.engine = engine
        first = asyncio.create_task(session.complete(query(session, 2)))
        for _ in range(3):
            engine.steps.release()
        async with asyncio.timeout(5):
            while len(produced(engine)) < 3:
                await asyncio.sleep(0.001)
        second = asyncio.create_task(session.complete(typed(session, 2, "va")))
        for _ in range(6):
            engine.steps.release()
        outcome = await asyncio.wait_for(second, 5)
        assert shown(outcome).text == "lue = 1"
        assert (await first).suggestion is None
        assert len(engine.requests) == 1


def produced(engine: Stepping) -> str:
    progress = engine.requests[0].progress if engine.requests else None
    return progress.text if progress is not None else ""


@pytest.mark.parametrize(
    ("how", "then"),
    [
        pytest.param({}, "vo", id="typed otherwise"),
        pytest.param({"joinStream": False}, "va", id="switched off"),
    ],
)
async def test_other_typing_begins_anew(how: dict[str, object], then: str) -> None:
    engine = Stepping("value = 1")
    async with session_on("x\n\ny\n", **how) as session:
        session.manager.engine = engine
        first = asyncio.create_task(session.complete(query(session, 2)))
        for _ in range(3):
            engine.steps.release()
        await asyncio.sleep(0.1)
        second = asyncio.create_task(session.complete(typed(session, 2, then)))
        for _ in range(30):
            engine.steps.release()
        await asyncio.wait_for(second, 5)
        await first
        assert engine.requests[0].progress is not engine.requests[1].progress


async def test_typing_at_any_moment_of_a_real_stream() -> None:
    """Every request is answered; the later it comes, the more of the stream it can go on with."""
    async with session_on("") as session:
        at, whole = await first_suggestion(session)
        for wait in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 5):
            session.completions.forget_answers()
            running = asyncio.create_task(session.complete(query(session, at)))
            await asyncio.wait([running], timeout=wait)
            outcome = await session.complete(typed(session, at, whole[0]))
            first = await running
            assert first.reason in ("", "a newer request took its place")
            session.change(session.documents[URI].with_edit(Edit(Span(at, at + 1), "")))
        assert shown(outcome).text == shown(first).text[1:]


@pytest.mark.parametrize(("layout", "saved"), [("anchored", True), ("psm", True), ("spm", False)])
async def test_opening_a_file_reads_what_its_first_request_needs(layout: str, saved: bool) -> None:
    """But not the suffix, which depends on where the cursor is; where that comes first, nothing."""
    text = SOURCE[:1200]
    offset = text.index("\n", 900) + 1
    read, ahead = [], []
    for warm in (False, True):
        async with session_on(text, warmUp=warm, layout=layout) as session:
            session.rest(query(session, opening_offset(text, session.settings)), opened=True)
            await settled(session)
            engine = session.manager.engine
            assert engine is not None
            ahead.append(engine.usage.prefill_tokens)
            read.append((await session.complete(query(session, offset))).usage.prefill_tokens)
    assert ahead[0] == 0
    assert (ahead[1] > 100) is saved
    assert (3 * read[1] < 2 * read[0]) is saved


async def test_a_file_that_is_opened_again_is_read_where_it_was_left() -> None:
    """Its prompt comes back from memory, although other files have taken all places in the cache."""
    line_end = SOURCE.index("\n", 2500)
    async with session_on(SOURCE[:3000], firstWindowMs=0) as session:
        engine = session.manager.engine
        assert engine is not None
        await session.complete(query(session, line_end))
        session.close(URI)
        for number in range(5):
            other = Document(
                uri=f"file:///other{number}.py",
                text=f"import part{number}\n" + SOURCE[-1500 - number :],
                language="python",
            )
            session.open(other)
            await session.complete(Query(document=other, offset=1400, path=other.uri))
        session.open(Document(uri=URI, text=SOURCE[:3000], language="python"))
        before = engine.usage.prefill_tokens
        session.rest(query(session, opening_offset(SOURCE[:3000], session.settings)), opened=True)
        await settled(session)
        outcome = await session.complete(typed(session, line_end, "x"))
        assert outcome.usage.prompt_tokens > 400
        assert engine.usage.prefill_tokens - before < 30


async def test_a_file_that_has_changed_elsewhere_is_read_from_its_head() -> None:
    async with session_on(SOURCE[:1200]) as session:
        await session.complete(query(session, 1000))
        session.close(URI)
        changed = SOURCE[:1200].replace("a", "b")
        session.open(Document(uri=URI, text=changed, language="python"))
        engine = session.manager.engine
        assert engine is not None
        before = engine.usage.prefill_tokens
        session.rest(query(session, opening_offset(changed, session.settings)), opened=True)
        await settled(session)
        assert engine.usage.prefill_tokens - before > 100


async def test_the_first_answer_in_a_place_reads_a_second_and_the_rest_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a slow model: at 100 tokens a second the first window holds 100, and the whole is there once nobody types."""
    async with session_on(SOURCE[:3000], warmUp=False) as session:
        engine = session.manager.engine
        assert engine is not None
        monkeypatch.setattr(type(engine), "prefill_speed", 100.0)
        first = await session.complete(query(session, 3000))
        assert 64 < first.usage.prefill_tokens < 140
        await settled(session)
        assert engine.usage.prefill_tokens > 400
        monkeypatch.setattr(type(engine), "prefill_speed", 100.0)
        second = await session.complete(typed(session, 3000, "x"))
        assert second.usage.prompt_tokens > 400
        assert second.usage.prefill_tokens < 20


async def test_a_file_opened_while_the_model_loads_is_read_afterwards() -> None:
    session = Session(lambda status: None)
    session.configure({"threads": 1})
    session.open(Document(uri=URI, text=SOURCE[:800], language="python"))
    session.rest(query(session, 800), opened=True)
    await session.load()
    await settled(session)
    engine = session.manager.engine
    assert engine is not None
    assert engine.usage.prefill_tokens > 50
    assert engine.usage.completion_tokens == 0
    await session.shut_down()


async def test_loading_what_is_loaded_keeps_what_runs_ahead() -> None:
    """As at every start with a client that is asked for its configuration."""
    session = Session(lambda status: None)
    session.configure({"threads": 1})
    session.open(Document(uri=URI, text=SOURCE[:800], language="python"))
    session.rest(query(session, 800))
    await asyncio.gather(session.load(), session.load())
    await settled(session)
    engine = session.manager.engine
    assert engine is not None
    assert engine.usage.prefill_tokens > 50
    await session.shut_down()


async def test_the_file_opened_last_is_the_one_that_is_read() -> None:
    async with session_on(SOURCE[:900]) as session:
        for uri in ("file:///a.py", "file:///b.py", URI):
            document = Document(uri=uri, text=SOURCE[:900], language="python")
            session.open(document)
            session.rest(Query(document=document, offset=900, path=uri[8:]))
        await settled(session)
        engine = session.manager.engine
        assert engine is not None
        assert engine.usage.prefill_tokens < 600
        assert (await session.complete(query(session, 900))).usage.prefill_tokens < 50


async def test_a_prefetch_that_gave_way_begins_again() -> None:
    """A rest of the cursor does not end it; a more urgent request does, and the next key begins it anew."""
    engine = ScriptedEngine("value")
    answer, cut = engine.generate, [True]

    async def generate(request: Request) -> Generation:
        if request.priority is Priority.PREFETCH and cut:
            engine.requests.append(request)
            cut.pop()
            return Generation(text="", finish=Finish.CANCELLED, usage=Usage())
        return await answer(request)

    engine.generate = generate  # type: ignore[method-assign]
    async with session_on("x = ", prefetch=True) as session:
        session.manager.engine = engine
        await session.complete(query(session, 4))
        session.rest(query(session, 4))
        await settled(session)
        await session.complete(typed(session, 4, "v"))
        await settled(session)
        assert [r.priority for r in engine.requests].count(Priority.PREFETCH) == 2
        session.configure({"threads": 1, "minConfidence": -9, "prefetch": False})
        assert (await session.complete(typed(session, 5, "alue"))).origin is Origin.MODEL


async def test_an_answer_to_old_settings_is_not_kept() -> None:
    engine = Stepping("value = 1")
    async with session_on("x\n\ny\n") as session:
        session.manager.engine = engine
        running = asyncio.create_task(session.complete(query(session, 2)))
        engine.steps.release()
        async with asyncio.timeout(5):
            while not produced(engine):
                await asyncio.sleep(0.001)
        session.configure({"threads": 1, "minConfidence": -9, "prefetch": False, "maxTokens": 4})
        for _ in range(20):
            engine.steps.release()
        await running
        await session.complete(query(session, 2))
        assert len(engine.requests) == 2
        assert engine.requests[1].max_tokens == 4


async def test_a_failure_ahead_is_nobodys_concern() -> None:
    engine = ScriptedEngine("value")
    async with session_on("x = ", prefetch=True) as session:
        session.manager.engine = engine
        fails = engine.generate

        async def generate(request: Request) -> Generation:
            if request.priority is not Priority.COMPLETION:
                raise RuntimeError("no")
            return await fails(request)

        engine.generate = generate  # type: ignore[method-assign]
        assert shown(await session.complete(query(session, 4))).text == "value"
        await settled(session)
        session.rest(query(session, 2))
        await settled(session)
        assert shown(await session.complete(typed(session, 4, "v"))).text == "alue"


@pytest.mark.parametrize(
    ("gaps", "answers", "wait"),
    [
        pytest.param([200] * 5, [50] * 5, 0, id="the model keeps up"),
        pytest.param([200] * 5, [500] * 5, 280, id="it does not"),
        pytest.param([300] * 5, [500] * 5, 0, id="the next key comes too late to wait for"),
        pytest.param([60] * 5, [500] * 5, 84, id="a quick rhythm"),
        pytest.param([], [500] * 5, 0, id="no rhythm yet"),
        pytest.param([60] * 5 + [5000], [500] * 5, 84, id="a pause is no rhythm"),
        pytest.param([60] * 9, [500] + [20] * 12, 0, id="it caught up"),
        pytest.param([60] * 9, [20, 20, 5000], 0, id="one slow answer"),
        pytest.param([60] * 9, [5000], 0, id="the first answer"),
    ],
)
def test_waiting_for_the_next_keystroke(gaps: list[int], answers: list[int], wait: float) -> None:
    pace, now = AdaptiveDebounce(), 0.0
    pace.keystroke(0, now)
    for number, gap in enumerate(gaps, 1):
        now += gap
        pace.keystroke(number, now)
        pace.keystroke(number, now)  # another request after the same key
    for answer in answers:
        pace.answered(answer)
    assert pace.wait_ms(300) == pytest.approx(wait, abs=1)
    assert pace.wait_ms(0) == 0


def test_cancelled_requests_do_not_make_a_slow_model_look_quick() -> None:
    pace = AdaptiveDebounce()
    for number in range(20):
        pace.keystroke(number, 150.0 * number)
        pace.cancelled(149.0)
    assert pace.wait_ms(300) == 0
    pace.answered(400)
    for _ in range(9):
        pace.answered(400)
        pace.cancelled(149.0)
    assert pace.wait_ms(300) == pytest.approx(210)


def test_the_opening_offset_is_at_a_line_start() -> None:
    assert opening_offset("", Settings()) == 0
    assert opening_offset("x\n", Settings()) == 2
    offset = opening_offset(SOURCE * 20, Settings())
    assert 0 < offset <= 2048 * 3 // 2
    assert (SOURCE * 20)[offset - 1] == "\n"
    assert opening_offset("x" * 100_000, Settings()) == 0
