"""Further suggestions to choose from, where a user asked: drawn, each different, and known when they are typed."""

from __future__ import annotations

from codegemma_lsp.completion import Completer, DocumentState, Origin, Outcome, Query, Suggestion, alternatives
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish, Generation, Request
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

SETTINGS = Settings(alternatives=2, seed=5)
QUERY = Query(document=Document(uri="file:///a", text="x = ", language="python"), offset=4, path="a", explicit=True)


class Several(ScriptedEngine):
    """Gives one answer after the other; None is a request that gave way."""

    def __init__(self, *answers: str | None) -> None:
        super().__init__()
        self.answers = list(answers)

    async def generate(self, request: Request) -> Generation:
        answer = self.answers.pop(0)
        self.answer, self.finish = answer or "", Finish.STOP_TOKEN if answer is not None else Finish.CANCELLED
        return await super().generate(request)


async def asked(engine: Several, state: DocumentState) -> tuple[Outcome, list[str]]:
    """The first suggestion's outcome, and the texts of the others."""
    completer = Completer(engine=engine, settings=SETTINGS)
    first = await completer.complete(QUERY, state)
    others: tuple[Suggestion, ...] = await alternatives(QUERY, first, state, completer)
    return first, [suggestion.text for suggestion in others]


async def test_there_are_as_many_as_the_settings_say() -> None:
    engine = Several("1", "2", "3", "4")
    assert (await asked(engine, DocumentState()))[1] == ["2", "3"]
    assert engine.answers == ["4"]


async def test_equal_ones_and_nothing_are_left_out_and_drawn_anew() -> None:
    assert (await asked(Several("1", "1", "", "2", "2"), DocumentState()))[1] == ["2"]


async def test_there_are_at_most_two_draws_for_each() -> None:
    engine = Several("1", "1", "1", "1", "1", "2")
    assert (await asked(engine, DocumentState()))[1] == []
    assert engine.answers == ["2"]


async def test_each_is_drawn_from_the_same_prompt_with_another_seed() -> None:
    engine = Several("1", "2", "1", "3")
    await asked(engine, DocumentState())
    first, *draws = engine.requests
    assert [draw.sampling.seed for draw in draws] == [6, 7, 8]
    assert {draw.sampling.temperature for draw in draws} == {0.8}
    assert all(draw.prompt == first.prompt for draw in draws)
    assert {draw.drafts for draw in draws} == {0}
    assert len({id(draw.progress) for draw in engine.requests}) == 4


async def test_a_higher_temperature_stays() -> None:
    completer = Completer(engine=Several("1", "2", "3"), settings=Settings(alternatives=2, temperature=1.5))
    state = DocumentState()
    await alternatives(QUERY, await completer.complete(QUERY, state), state, completer)
    assert isinstance(completer.engine, Several)
    assert {draw.sampling.temperature for draw in completer.engine.requests} == {1.5}


async def test_one_that_gives_way_ends_them() -> None:
    engine = Several("1", "2", None, "3")
    assert (await asked(engine, DocumentState()))[1] == ["2"]
    assert engine.answers == ["3"]


async def test_others_are_drawn_where_the_first_did_not_fit() -> None:
    """A first text that is refused, or none at all, is no reason to give a user who asked nothing."""
    for refused in ("", "= ="):
        first, others = await asked(Several(refused, "2", "3"), DocumentState())
        assert first.suggestion is None
        assert others == ["2", "3"]


async def test_whichever_is_typed_is_known_and_the_first_is_shown_again() -> None:
    state, engine = DocumentState(), Several("width", "height", "depth")
    await asked(engine, state)
    completer = Completer(engine=engine, settings=SETTINGS)
    for text, rest in (("x = h", "eight"), ("x = d", "epth"), ("x = ", "width")):
        outcome = await completer.complete(
            Query(document=Document(uri="file:///a", text=text, language="python"), offset=len(text), path="a"), state
        )
        assert outcome.origin is Origin.REUSE
        assert outcome.suggestion is not None
        assert outcome.suggestion.text == rest


async def test_asking_again_and_again_keeps_a_few() -> None:
    state = DocumentState()
    for number in range(12):
        await asked(Several(*(f"{number}{letter}" for letter in "abcde")), state)
    assert len(state.suggestions) <= 9
