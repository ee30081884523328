"""What is asked of the engine, and what an outcome tells of it."""

from __future__ import annotations

import pytest

from codegemma_lsp.completion import Completer, DocumentState, Origin, Outcome, Query
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import EngineFailed, Finish, Priority, Request
from codegemma_lsp.prompt import Text
from codegemma_lsp.settings import Settings
from tests.completion.story import Typing
from tests.marks import at_cursor
from tests.scripted import ScriptedEngine


async def asked(marked: str, state: DocumentState, priority: Priority = Priority.COMPLETION, **how: object) -> Request:
    """The request that is put for a document."""
    text, offset = at_cursor(marked)
    engine = ScriptedEngine("width")
    completer = Completer(engine=engine, settings=Settings.model_validate(how))
    await completer.ask(
        Query(document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a.py"),
        state,
        priority,
    )
    (request,) = engine.requests
    return request


async def test_it_carries_the_settings() -> None:
    request = await asked("x = <CURSOR>", DocumentState(), maxTokens=7, drafts=3, temperature=0.5, seed=9)
    assert (request.max_tokens, request.drafts) == (7, 3)
    assert (request.sampling.temperature, request.sampling.seed) == (0.5, 9)
    assert request.on_text is not None


async def test_a_setting_lets_it_run_to_its_end() -> None:
    assert (await asked("x = <CURSOR>", DocumentState(), earlyStop=False)).on_text is None


@pytest.mark.parametrize("priority", list(Priority))
async def test_it_has_the_priority_that_it_is_asked_with(priority: Priority) -> None:
    assert (await asked("x = <CURSOR>", DocumentState(), priority)).priority is priority


async def test_the_last_suggestion_is_a_hint() -> None:
    state = DocumentState()
    assert (await asked("x = <CURSOR>\n", state)).hint == ""
    assert (await asked("x = 1\ny = <CURSOR>\n", state)).hint == "width"


async def test_the_next_one_goes_on_from_the_last_ones_window() -> None:
    state = DocumentState()
    before = await asked("a = 1\nx = <CURSOR>\n", state, heal=False)
    after = await asked("a = 1\nx = 5\ny = <CURSOR>\n", state, heal=False)
    assert isinstance(first := before.prompt.segments[-1], Text)
    assert isinstance(second := after.prompt.segments[-1], Text)
    assert after.prompt.segments[:-1] == before.prompt.segments[:-1]
    assert (first.text, second.text) == ("x = ", "x = 5\ny = ")


async def test_a_prompt_leaves_the_context_what_may_be_generated() -> None:
    long = "x = 1\n" * 2000
    prompts = [
        (await asked(f"{long}<CURSOR>", DocumentState(), contextTokens=context, maxTokens=most)).prompt.tokens
        for context, most in ((1024, 100), (1024, 1000))
    ]
    assert 0.8 * 924 < prompts[0] <= 924
    assert 0.7 * 512 < prompts[1] <= 512


async def test_an_outcome_of_the_model_tells_what_it_took() -> None:
    outcome = await Typing("width\n", logprob=-0.25).outcome("x = <CURSOR>\n")
    assert outcome.origin is Origin.MODEL
    assert outcome.said == "width\n"
    assert outcome.mean_logprob == -0.25
    assert outcome.usage.completion_tokens == len("width\n")
    assert outcome.usage.prompt_tokens == outcome.usage.prefill_tokens > 0
    assert set(outcome.ms) == {"plan", "queue", "prefill", "decode", "own", "total"}
    assert 0 < outcome.ms["plan"] < outcome.ms["own"] < outcome.ms["total"]


async def test_an_outcome_of_the_cache_tells_how_long_it_took() -> None:
    typing = Typing("width")
    await typing.outcome("x = <CURSOR>\n")
    outcome = await typing.outcome("x = w<CURSOR>\n")
    assert outcome.origin is Origin.REUSE
    assert set(outcome.ms) == {"total"}
    assert outcome.usage.completion_tokens == 0


async def test_a_request_that_gave_way_says_so() -> None:
    typing = Typing("width")
    typing.engine.finish = Finish.CANCELLED
    outcome = await typing.outcome("x = <CURSOR>\n", explicit=True)
    assert (outcome.origin, outcome.reason) == (Origin.NONE, "a more urgent request took its place")
    assert outcome.usage.completion_tokens == len("width")


async def test_an_error_leaves_nothing_to_join() -> None:
    typing = Typing("width")
    typing.engine.error = EngineFailed("It broke.")
    with pytest.raises(EngineFailed):
        await typing.outcome("x = <CURSOR>\n")
    assert typing.state.pending == ()


async def test_what_two_requests_took_is_added_up() -> None:
    """The answer to the first leaves nothing for what was typed meanwhile, so the model is asked again."""
    typing = Typing("width")
    typing.engine.finish = Finish.CANCELLED
    await typing.outcome("x = <CURSOR>\n")
    request = typing.engine.requests[0]
    assert request.progress is not None
    request.progress.text = "width"
    typing.engine.finish = Finish.STOP_TOKEN
    outcome: Outcome = await typing.outcome("x = width<CURSOR>\n")
    last = typing.engine.requests[-1]
    assert typing.asked == 3
    assert outcome.usage.completion_tokens == 2 * len("width")
    assert outcome.usage.prompt_tokens == last.prompt.tokens
