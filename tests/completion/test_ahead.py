"""What is done before a user asks: the prompt is read, and the answer to the next query fetched."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import Completer, DocumentState, Origin, Query, Suggestion, accepted, lookup
from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.protocol import Finish, Priority
from codegemma_lsp.prompt import Layout, Special
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine


def query(marked: str) -> Query:
    text, offset = at_cursor(marked)
    return Query(document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a")


async def test_a_warm_up_reads_the_prompt_of_the_next_query_and_generates_nothing() -> None:
    engine, state = ScriptedEngine("1"), DocumentState()
    completer = Completer(engine=engine, settings=Settings())
    await completer.warm_up(query("x = <CURSOR>\n"), state)
    await completer.complete(query("x = <CURSOR>\n"), state)
    warm, asked = engine.requests
    assert (warm.max_tokens, warm.priority) == (0, Priority.WARM_UP)
    assert warm.prompt == asked.prompt


async def test_a_warm_up_of_the_prefix_reads_no_more_than_places_further_down_share() -> None:
    engine = ScriptedEngine("1")
    await Completer(engine=engine, settings=Settings()).warm_up(
        query("a = 1\nx = <CURSOR>\n"), DocumentState(), prefix_only=True
    )
    (warm,) = engine.requests
    assert warm.prompt.segments
    assert Special.FIM_SUFFIX not in warm.prompt.segments


async def test_a_warm_up_reads_nothing_where_nothing_would_be_shared() -> None:
    engine = ScriptedEngine("1")
    completer = Completer(engine=engine, settings=Settings(layout=Layout.SPM))
    await completer.warm_up(query("a = 1\nx = <CURSOR>\n"), DocumentState(), prefix_only=True)
    assert not engine.requests


async def test_a_warm_up_keeps_its_window_for_the_next_query() -> None:
    state = DocumentState()
    await Completer(engine=ScriptedEngine("1"), settings=Settings()).warm_up(query("a = 1\nx = <CURSOR>\n"), state)
    assert state.planning.window is not None
    assert state.planning.window.before == "a = 1\n"


async def test_a_prefetched_answer_is_there_when_it_is_asked_for() -> None:
    engine, state = ScriptedEngine("1"), DocumentState()
    completer = Completer(engine=engine, settings=Settings())
    assert await completer.prefetch(query("x = <CURSOR>\n"), state)
    assert [request.priority for request in engine.requests] == [Priority.PREFETCH]
    outcome = await completer.complete(query("x = <CURSOR>\n"), state)
    assert outcome.origin is Origin.REUSE
    assert len(engine.requests) == 1


async def test_what_is_known_is_not_prefetched() -> None:
    engine, state = ScriptedEngine("1"), DocumentState()
    completer = Completer(engine=engine, settings=Settings())
    await completer.complete(query("x = <CURSOR>\n"), state)
    assert await completer.prefetch(query("x = <CURSOR>\n"), state)
    assert len(engine.requests) == 1


async def test_a_prefetch_leaves_the_window_to_the_user() -> None:
    state = DocumentState()
    await Completer(engine=ScriptedEngine("1"), settings=Settings()).prefetch(query("x = <CURSOR>\n"), state)
    assert state.planning.window is None


async def test_a_prefetch_that_gave_way_says_so() -> None:
    state = DocumentState()
    completer = Completer(engine=ScriptedEngine("1", finish=Finish.CANCELLED), settings=Settings())
    assert not await completer.prefetch(query("x = <CURSOR>\n"), state)
    assert lookup(query("x = <CURSOR>\n"), state) is None


@pytest.mark.parametrize("explicit", [False, True])
def test_the_query_after_accepting_stands_behind_the_suggestion(explicit: bool) -> None:
    text, offset = at_cursor("x = f(<CURSOR>)\n")
    asked = Query(
        document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a", explicit=explicit
    )
    following = accepted(asked, Suggestion("1", Span(6, 7), "1, 2)"))
    assert (following.document.text, following.offset) == at_cursor("x = f(1, 2)<CURSOR>\n")
    assert not following.explicit
