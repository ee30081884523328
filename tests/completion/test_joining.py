"""A user types on while the model answers: the request goes on where the answer so far is what was typed."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import DocumentState, Origin, Outcome, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish, Generation, Request, Usage
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine


def query(marked: str) -> Query:
    text, offset = at_cursor(marked)
    return Query(document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a")


class Pausing(ScriptedEngine):
    """The first request is given up once the model has said ``begun``; the next goes to the end of ``answer``."""

    def __init__(self, begun: str, answer: str) -> None:
        super().__init__(answer)
        self.begun = begun

    async def generate(self, request: Request) -> Generation:
        if not self.requests:
            self.requests.append(request)
            assert request.progress is not None
            request.progress.text = self.begun
            return Generation(text=self.begun, finish=Finish.CANCELLED, usage=Usage(), logprobs=())
        return await super().generate(request)


@pytest.mark.parametrize(
    ("marked", "joins"),
    [
        pytest.param("x = wi<CURSOR>\n", True, id="a part of what was said"),
        pytest.param("x = width<CURSOR>\n", True, id="all of it"),
        pytest.param("x = <CURSOR>\n", True, id="nothing typed"),
        pytest.param("x = he<CURSOR>\n", False, id="something else"),
        pytest.param("x = width(<CURSOR>\n", False, id="more than was said"),
        pytest.param("y = wi<CURSOR>\n", False, id="another line"),
    ],
)
async def test_what_agrees_with_the_answer_so_far_joins_it(marked: str, joins: bool) -> None:
    engine, state = Pausing("width", "width + 1"), DocumentState()
    assert (await complete(query("x = <CURSOR>\n"), state, engine, Settings())).origin is Origin.NONE
    await complete(query(marked), state, engine, Settings())
    assert (engine.requests[0].progress is engine.requests[1].progress) is joins


async def typed_on(marked: str, **settings: object) -> tuple[Outcome, Pausing]:
    engine, state = Pausing("width", "width + 1"), DocumentState()
    await complete(query("x = <CURSOR>\n"), state, engine, Settings())
    return await complete(query(marked), state, engine, Settings.model_validate(settings)), engine


async def test_the_joined_request_goes_on_and_what_was_typed_is_left_out() -> None:
    outcome, engine = await typed_on("x = wi<CURSOR>\n")
    assert outcome.suggestion is not None
    assert outcome.suggestion.text == "dth + 1"
    assert engine.requests[0].progress is engine.requests[1].progress


async def test_a_setting_switches_it_off() -> None:
    _, engine = await typed_on("x = wi<CURSOR>\n", joinStream=False)
    assert engine.requests[0].progress is not engine.requests[1].progress


async def test_where_nothing_is_left_of_the_older_answer_the_model_is_asked_anew() -> None:
    engine, state = Pausing("width", "width"), DocumentState()
    await complete(query("x = <CURSOR>\n"), state, engine, Settings())
    await complete(query("x = width<CURSOR>\n"), state, engine, Settings())
    assert len(engine.requests) == 3
    assert engine.requests[1].progress is engine.requests[0].progress
    assert engine.requests[2].progress is not engine.requests[0].progress


async def test_new_settings_forget_answers_and_requests_and_keep_the_window() -> None:
    engine, state = Pausing("width", "width + 1"), DocumentState()
    await complete(query("x = <CURSOR>\n"), state, engine, Settings())
    await complete(query("y = <CURSOR>\n"), state, engine, Settings())
    assert state.pending
    assert state.suggestions
    after = state.without_answers()
    assert (after.pending, after.suggestions, after.planning) == ((), (), state.planning)
