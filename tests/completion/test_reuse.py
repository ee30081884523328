"""What was suggested is not asked for again while the user types it, deletes it, or accepts a part of it."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from codegemma_lsp.completion import Origin
from tests.completion.story import Typing


async def test_the_rest_of_a_suggestion_is_shown_while_it_is_typed() -> None:
    typing = Typing("width * height")
    assert [
        await typing.sees("area = <CURSOR>\nx = 1\n"),
        await typing.sees("area = w<CURSOR>\nx = 1\n"),
        await typing.sees("area = width *<CURSOR>\nx = 1\n"),
    ] == snapshot(
        [
            """\
area = ⟦width * height⟧
x = 1
""",
            """\
area = w⟦idth * height⟧
x = 1
""",
            """\
area = width *⟦ height⟧
x = 1
""",
        ]
    )
    assert typing.asked == 1


async def test_a_suggestion_comes_back_when_it_is_deleted_into() -> None:
    typing = Typing("width * height")
    await typing.sees("area = <CURSOR>\nx = 1\n")
    assert [
        await typing.sees("area = width<CURSOR>\nx = 1\n"),
        await typing.sees("area = w<CURSOR>\nx = 1\n"),
        await typing.sees("area = <CURSOR>\nx = 1\n"),
    ] == snapshot(
        [
            """\
area = width⟦ * height⟧
x = 1
""",
            """\
area = w⟦idth * height⟧
x = 1
""",
            """\
area = ⟦width * height⟧
x = 1
""",
        ]
    )
    assert typing.asked == 1


async def test_a_suggestion_typed_to_its_end_asks_for_the_next() -> None:
    typing = Typing("width")
    await typing.sees("area = <CURSOR>\n")
    await typing.sees("area = width<CURSOR>\n")
    assert typing.asked == 2


async def test_another_letter_asks_anew() -> None:
    typing = Typing("width")
    await typing.sees("area = <CURSOR>\n")
    await typing.sees("area = q<CURSOR>\n")
    assert typing.asked == 2


async def test_a_change_above_asks_anew() -> None:
    typing = Typing("width")
    await typing.sees("a = 1\narea = <CURSOR>\n")
    await typing.sees("a = 2\narea = w<CURSOR>\n")
    assert typing.asked == 2


async def test_a_change_far_above_asks_anew() -> None:
    typing = Typing("width")
    far = "x = 1\n" * 100
    await typing.sees(f"a = 1\n{far}area = <CURSOR>\n")
    await typing.sees(f"a = 2\n{far}area = w<CURSOR>\n")
    assert typing.asked == 2


async def test_a_change_below_asks_anew() -> None:
    typing = Typing("width")
    await typing.sees("area = <CURSOR>\na = 1\n")
    await typing.sees("area = w<CURSOR>\na = 2\n")
    assert typing.asked == 2


async def test_the_latest_of_two_suggestions_is_shown() -> None:
    typing = Typing("width")
    await typing.sees("a = <CURSOR>\n")
    typing.engine.answer = "height"
    await typing.sees("a = h<CURSOR>\n")
    typing.engine.answer = "nothing more"
    assert await typing.sees("a = <CURSOR>\n") == snapshot("a = ⟦width⟧\n")
    assert typing.asked == 2


async def test_a_bracket_that_the_editor_closes_is_overwritten_by_the_rest() -> None:
    typing = Typing("g(a, b)")
    assert [await typing.sees("x = <CURSOR>\n"), await typing.sees("x = g(<CURSOR>)\n")] == snapshot(
        ["x = ⟦g(a, b)⟧\n", "x = g(⟦a, b)⟧\n"]
    )
    assert typing.asked == 1


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        pytest.param("x = g<CURSOR>\n", snapshot("x = g⟦('a')⟧\n"), id="before the bracket"),
        pytest.param("x = g('<CURSOR>')\n", snapshot("x = g('⟦a')⟧\n"), id="behind the quote, both closed"),
    ],
)
async def test_a_quote_and_a_bracket_that_the_editor_closes_are_overwritten(marked: str, expected: str) -> None:
    typing = Typing("g('a')")
    await typing.sees("x = <CURSOR>\n")
    assert await typing.sees(marked) == expected
    assert typing.asked == 1


async def test_a_bracket_that_the_rest_does_not_bring_is_not_overwritten() -> None:
    typing = Typing("g(a")
    assert await typing.sees("x = (<CURSOR>\n") == snapshot("x = (⟦g(a⟧\n")
    assert await typing.sees("x = (g(<CURSOR>)\n") == snapshot("x = (g(⟦g(a⟧)\n")
    assert typing.asked == 2


async def test_that_there_is_nothing_to_suggest_is_known_too() -> None:
    typing = Typing("")
    first, again = await typing.outcome("x = <CURSOR>"), await typing.outcome("x = <CURSOR>")
    assert [(outcome.origin, outcome.reason) for outcome in (first, again)] == snapshot(
        [(Origin.MODEL, "the model has nothing to add"), (Origin.REUSE, "nothing to suggest here")]
    )
    assert typing.asked == 1


async def test_a_user_who_asks_gets_another_try() -> None:
    typing = Typing("")
    await typing.sees("x = <CURSOR>")
    await typing.sees("x = <CURSOR>", explicit=True)
    assert typing.asked == 2


async def test_a_letter_is_no_quote() -> None:
    typing = Typing("f(X, a)")
    await typing.sees("y = <CURSOR>\n")
    assert await typing.sees("y = f(<CURSOR>)\n") == snapshot("y = f(⟦X, a)⟧\n")
    assert typing.asked == 1
