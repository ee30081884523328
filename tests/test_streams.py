"""Streams that outlive their requests, in a session whose engine writes a character when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegemma_lsp.completion import Query
from codegemma_lsp.completion.cache import Agreement, agreement, agreement_of_change
from codegemma_lsp.completion.types import CachedSuggestion
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.protocol import Finish, Generation, Request, Usage
from codegemma_lsp.session.completions import Growth
from codegemma_lsp.session.session import Session
from tests.scripted import ScriptedEngine

URI = "file:///a.py"
PATIENCE_S = 5


class Stepping(ScriptedEngine):
    """Writes a character a step; ``answers`` are given one a request, the last one for ever."""

    def __init__(self, *answers: str) -> None:
        super().__init__(answers[0])
        self.answers = list(answers)
        self.steps = asyncio.Semaphore(0)
        self.running = 0
        self.doubts_from = 1000
        """The character from which on the model is unsure."""

    async def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        progress = request.progress
        assert progress is not None
        self.running += 1
        try:
            while len(progress.text) < len(answer):
                if request.given_up is not None and request.given_up():
                    return Generation(text=progress.text, finish=Finish.CANCELLED, usage=Usage())
                await self.steps.acquire()
                progress.text = answer[: len(progress.text) + 1]
                progress.logprobs.append(-99.0 if len(progress.text) > self.doubts_from else -0.1)
                progress.ends.append(len(progress.text))
                if request.on_text is not None and request.on_text(progress.text):
                    break
            return Generation(
                text=progress.text,
                finish=Finish.STOP_TOKEN,
                usage=Usage(),
                logprobs=tuple(progress.logprobs),
                ends=tuple(progress.ends),
            )
        finally:
            self.running -= 1

    async def write(self, count: int) -> None:
        """So many characters, and what the session makes of each."""
        for _ in range(count):
            self.steps.release()
            await moment()


async def moment() -> None:
    """Long enough for the planning thread."""
    for _ in range(4):
        await asyncio.sleep(0.005)


@asynccontextmanager
async def typing(text: str, engine: Stepping, **how: object) -> AsyncIterator[tuple[Session, list[Growth]]]:
    grown: list[Growth] = []
    session = Session(lambda status: None, on_growth=grown.append)
    session.initialize({"growsSuggestions": True, "minConfidence": -9, "prefetch": False, **how})
    session.manager.engine = engine
    session.open(Document(uri=URI, text=text, language="python"))
    try:
        yield session, grown
    finally:
        await session.shut_down()


def typed(session: Session, text: str) -> Query:
    """The document with ``text`` typed at its end, and the query behind it."""
    document = session.documents[URI]
    end = len(document.text)
    session.change(document.with_edit(Edit(Span(end, end), text), document.version + 1))
    return Query(document=session.documents[URI], offset=end + len(text), path="a.py")


async def answered(task: asyncio.Task[object]) -> str | None:
    outcome = await asyncio.wait_for(task, PATIENCE_S)
    suggestion = getattr(outcome, "suggestion", None)
    return suggestion.text if suggestion is not None else None


async def given_up(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_piece_is_shown_and_grows_where_it_stands() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine) as (session, grown):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await asyncio.sleep(0.1)
        await engine.write(8)
        assert await answered(task) == "client"
        await engine.write(len("client.send(request)") - 8)
        assert [growth.suggestion.text for growth in grown] == ["client.send", "client.send(request)"]
        assert len({growth.suggestion.id for growth in grown}) == 1


async def test_a_client_that_cannot_draw_growth_waits_for_the_whole() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine, growsSuggestions=False, answerWithinMs=5000) as (session, grown):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await engine.write(30)
        assert await answered(task) == "client.send(request)"
        assert grown == []


async def test_at_the_deadline_it_is_answered_with_what_there_is() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine, growsSuggestions=False, answerWithinMs=50) as (session, _):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await engine.write(8)
        assert await answered(task) == "client"


async def test_a_request_cancelled_by_typing_along_leaves_its_stream_to_the_next() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine) as (session, _):
        first = asyncio.create_task(session.complete(typed(session, "")))
        await engine.write(3)
        query = typed(session, "c")
        await given_up(first)
        second = asyncio.create_task(session.complete(query))
        await engine.write(5)
        await asyncio.sleep(0.1)
        await engine.write(1)
        assert await answered(second) == "lient"
        assert len(engine.requests) == 1


async def test_typing_otherwise_ends_the_stream_before_anything_is_asked() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine) as (session, _):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await engine.write(3)
        typed(session, "z")
        await moment()
        assert engine.running == 0
        assert await answered(task) is None


class Piped(Stepping):
    """Asks whether a request is given up together with each text and not before the next character, as an engine in
    another process does. A step is the decoding of a character that was written."""

    async def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        progress, answer = request.progress, self.answers[0]
        assert progress is not None
        assert request.on_text is not None
        assert request.given_up is not None
        given_up = False
        while not given_up and len(progress.text) < len(answer):
            progress.text = answer[: len(progress.text) + 1]
            request.on_text(progress.text)
            given_up = request.given_up()
            await self.steps.acquire()
        return Generation(text=progress.text, finish=Finish.CANCELLED, usage=Usage())


@pytest.mark.parametrize("more", ["z", "clz", "client.s", "client.sen"])
async def test_what_is_typed_while_a_token_is_decoded_lets_no_other_follow(more: str) -> None:
    engine = Piped("client.send(request)")
    async with typing("x = ", engine) as (session, _):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await moment()
        await engine.write(3)
        progress = engine.requests[0].progress
        assert progress is not None
        assert progress.text == "clie"
        typed(session, more)
        await engine.write(5)
        assert progress.text == "clie"
        await given_up(task)


async def test_a_cancelled_request_that_nothing_follows_ends_after_a_while() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine, lingerMs=100) as (session, _):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await engine.write(3)
        await given_up(task)
        assert engine.running == 1
        await asyncio.sleep(0.2)
        assert engine.running == 0


async def test_what_is_on_the_screen_never_changes_but_at_its_end() -> None:
    """Of the whole the model is unsure; the name that was shown is right by itself, and stays."""
    engine = Stepping("client.send(request)")
    engine.doubts_from = 8
    async with typing("x = ", engine, minConfidence=-1) as (session, grown):
        task = asyncio.create_task(session.complete(typed(session, "")))
        await asyncio.sleep(0.1)
        await engine.write(8)
        assert await answered(task) == "client"
        await engine.write(20)
        assert grown == []
        assert await answered(asyncio.create_task(session.complete(typed(session, "cli")))) == "ent"


async def test_typed_ahead_of_the_model_it_is_asked_for_the_new_place() -> None:
    engine = Stepping("client", "ng.timeout")
    async with typing("x = ", engine) as (session, _):
        first = asyncio.create_task(session.complete(typed(session, "")))
        await moment()
        query = typed(session, "setti")
        await given_up(first)
        second = asyncio.create_task(session.complete(query))
        await engine.write(16)
        assert await answered(second) in ("ng", "ng.timeout")
        assert len(engine.requests) == 2


async def test_asked_by_hand_the_whole_is_waited_for() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine, alternatives=0) as (session, _):
        query = typed(session, "")
        shown = asyncio.create_task(session.complete(query))
        await asyncio.sleep(0.1)
        await engine.write(8)
        assert await answered(shown) == "client"
        by_hand = asyncio.create_task(
            session.complete(Query(document=query.document, offset=query.offset, path="a.py", explicit=True))
        )
        await engine.write(20)
        assert await answered(by_hand) == "client.send(request)"


async def test_asked_by_hand_doubt_is_no_reason_to_show_nothing() -> None:
    engine = Stepping("client.send(request)")
    engine.doubts_from = 0
    async with typing("x = ", engine, alternatives=0, minConfidence=-1) as (session, _):
        query = typed(session, "")
        typing_on = asyncio.create_task(session.complete(query))
        await engine.write(3)
        await given_up(typing_on)
        by_hand = asyncio.create_task(
            session.complete(Query(document=query.document, offset=query.offset, path="a.py", explicit=True))
        )
        await engine.write(20)
        assert await answered(by_hand) == "client.send(request)"
        assert len(engine.requests) == 1


async def test_another_method_takes_no_growth_away() -> None:
    engine = Stepping("client.send(request)")
    async with typing("x = ", engine) as (session, grown):
        query = typed(session, "")
        ghost = asyncio.create_task(session.complete(query, "ghost text"))
        await asyncio.sleep(0.1)
        await engine.write(8)
        assert await answered(ghost) == "client"
        assert await answered(asyncio.create_task(session.complete(query, "a popup"))) == "client"
        await engine.write(20)
        first = ghost.result().suggestion
        assert first is not None
        assert [g.suggestion.text for g in grown if g.suggestion.id == first.id] == [
            "client.send",
            "client.send(request)",
        ]


OPS = ("ask", "ask again", "type along", "type otherwise", "delete", "cancel", "write", "write much", "wait")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(OPS), min_size=2, max_size=12))
def test_whatever_happens_there_is_one_stream_and_every_request_is_answered(ops: list[str]) -> None:
    asyncio.run(lived(ops))


async def lived(ops: list[str]) -> None:
    answer = "client.send(request)"
    engine = Stepping(answer)
    async with typing("x = ", engine, lingerMs=30) as (session, _):
        tasks: list[asyncio.Task[object]] = []
        along, query = 0, typed(session, "")
        for op in ops:
            if op in ("ask", "ask again"):
                tasks.append(asyncio.create_task(session.complete(query)))
            elif op == "type along":
                query = typed(session, answer[along % len(answer)])
                along += 1
            elif op == "type otherwise":
                query, along = typed(session, " + "), 0
            elif op == "delete":
                document = session.documents[URI]
                end = len(document.text)
                session.change(document.with_edit(Edit(Span(end - 1, end), ""), document.version + 1))
                query = Query(document=session.documents[URI], offset=end - 1, path="a.py")
            elif op == "cancel" and tasks:
                tasks[-1].cancel()
            elif op.startswith("write"):
                await engine.write(2 if op == "write" else 9)
            await asyncio.sleep(0.04 if op == "wait" else 0.002)
            assert engine.running <= 1
        for _ in range(200):
            engine.steps.release()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE_S)
        assert all(isinstance(result, asyncio.CancelledError) or hasattr(result, "suggestion") for result in results)
        await asyncio.sleep(0.1)
        assert engine.running == 0


@pytest.mark.parametrize(
    ("written", "text", "offset", "expected"),
    [
        pytest.param("abc", "x = ab\n", 6, Agreement.AGREES, id="typed as written"),
        pytest.param("abc", "x = abcd\n", 8, Agreement.UNDECIDED, id="typed further than written"),
        pytest.param("abc", "x = b\n", 5, Agreement.DISAGREES, id="typed otherwise"),
        pytest.param("abc", "x =\n", 3, Agreement.DISAGREES, id="deleted"),
        pytest.param("f(a)", "x = f()\n", 6, Agreement.AGREES, id="the editor closed the bracket"),
        pytest.param("abc", "y = ab\n", 6, Agreement.DISAGREES, id="changed elsewhere too"),
        pytest.param("", "x = ab\n", 6, Agreement.UNDECIDED, id="nothing written yet"),
    ],
)
def test_what_is_typed_agrees_with_what_is_written(written: str, text: str, offset: int, expected: Agreement) -> None:
    entry = CachedSuggestion(text="x = \n", offset=4, insert=written)
    assert agreement(entry, text, offset) is expected
    assert agreement_of_change(entry, text)[0] is expected
