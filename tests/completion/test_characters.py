"""Characters that no source holds end the suggestion."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import python


async def test_a_control_character_ends_the_suggestion() -> None:
    assert await python("x = <CURSOR>").completed_by("1\x00\x01") == snapshot("x = ⟦1⟧")


async def test_half_a_character_above_harms_nothing() -> None:
    outcome = await python("é = '\ud83d' + <CURSOR>").outcome("x")
    assert outcome.suggestion is not None
    assert (outcome.suggestion.span.start, outcome.suggestion.text) == (len("é = '?' + "), "x")


async def test_a_special_token_spelled_by_the_model_ends_the_suggestion() -> None:
    assert await python("x = <CURSOR>").completed_by("1<|fim_middle|>2") == snapshot("x = ⟦1⟧")


async def test_a_special_token_at_the_start_leaves_nothing() -> None:
    shown = await python('x = "<CURSOR>"').completed_by("<|fim_middle|>b")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")
