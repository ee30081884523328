"""What the model is unsure of, or could not finish, is shown only as far as it helps."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import EngineFailed, Finish
from codegemma_lsp.session.session import Session
from codegemma_lsp.settings import Settings
from tests.completion.story import Typing, python
from tests.scripted import ScriptedEngine


async def test_doubt_is_not_shown() -> None:
    assert await Typing("1", logprob=-3.0).sees("x = <CURSOR>") == snapshot("no suggestion: the model is unsure")


async def test_doubt_is_shown_to_a_user_who_asks() -> None:
    assert await Typing("1", logprob=-3.0).sees("x = <CURSOR>", explicit=True) == snapshot("x = ⟦1⟧")


async def test_doubt_is_shown_where_the_settings_allow_it() -> None:
    assert await Typing("1", logprob=-3.0, minConfidence=-4).sees("x = <CURSOR>") == snapshot("x = ⟦1⟧")


async def test_exactly_as_sure_as_asked_for_is_sure_enough() -> None:
    assert await Typing("1", logprob=-3.0, minConfidence=-3).sees("x = <CURSOR>") == snapshot("x = ⟦1⟧")


async def test_new_settings_forget_that_there_was_doubt() -> None:
    session = Session(lambda status: None)
    session.manager.engine = ScriptedEngine("1", logprob=-3.0)
    document = Document(uri="file:///a", text="x = ", language="python")
    session.open(document)
    before = await session.complete(Query(document=document, offset=4, path="a"))
    session.configure({"minConfidence": -4})
    after = await session.complete(Query(document=document, offset=4, path="a"))
    assert [outcome.suggestion and outcome.suggestion.text for outcome in (before, after)] == [None, "1"]


async def test_a_line_that_was_cut_off_in_a_loop_is_left_out_with_the_loop() -> None:
    shown = await python("""\
def f(items):
    <CURSOR>
""").completed_by(
        """\
total = 0
    for item in items:
        tot\
""",
        finish=Finish.LENGTH,
    )
    assert shown == snapshot("""\
def f(items):
    ⟦total = 0⟧
""")


async def test_a_last_line_that_was_cut_off_is_left_out() -> None:
    shown = await python("""\
def f(items):
    <CURSOR>
""").completed_by(
        """\
total = 0
    tot\
""",
        finish=Finish.LENGTH,
    )
    assert shown == snapshot("""\
def f(items):
    ⟦total = 0⟧
""")


async def test_an_only_line_that_was_cut_off_is_shown() -> None:
    shown = await python("""\
def f(items):
    <CURSOR>
""").completed_by("total = ite", finish=Finish.LENGTH)
    assert shown == snapshot("""\
def f(items):
    ⟦total = ite⟧
""")


async def test_an_error_of_the_engine_is_raised() -> None:
    engine = ScriptedEngine(error=EngineFailed("It broke."))
    with pytest.raises(EngineFailed, match="It broke"):
        await complete(
            Query(document=Document(uri="file:///a", text="x = ", language="python"), offset=4, path="a"),
            DocumentState(),
            engine,
            Settings(),
        )


async def test_after_an_error_the_model_is_asked_again() -> None:
    typing = Typing("1")
    typing.engine.error = EngineFailed("It broke.")
    with pytest.raises(EngineFailed):
        await typing.sees("x = <CURSOR>")
    typing.engine.error = None
    assert await typing.sees("x = <CURSOR>") == snapshot("x = ⟦1⟧")
    assert not typing.state.pending


async def test_doubt_is_remembered() -> None:
    typing = Typing("1", logprob=-3.0)
    await typing.sees("x = <CURSOR>")
    assert await typing.sees("x = <CURSOR>") == snapshot("no suggestion: nothing to suggest here")
    assert typing.asked == 1
