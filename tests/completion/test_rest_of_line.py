"""Other text than closing brackets follows on the line: the suggestion is one line that fits in front of it."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import javascript, python, typescript


async def test_an_argument_goes_before_the_one_that_follows() -> None:
    assert await python("x = f(<CURSOR>, 2)\n").completed_by("1\n") == snapshot("x = f(⟦1⟧, 2)\n")


async def test_arguments_that_follow_are_not_repeated() -> None:
    assert await python("x = f(<CURSOR>, 2)\n").completed_by("1, 2)") == snapshot("x = f(⟦1⟧, 2)\n")


async def test_a_condition_goes_before_the_brace_that_follows() -> None:
    shown = await javascript("""\
if (x<CURSOR>) {
  y();
}
""").completed_by(" > 1) {")
    assert shown == snapshot("""\
if (x⟦ > 1⟧) {
  y();
}
""")


async def test_a_bracket_before_further_arguments_is_left_out() -> None:
    assert await python("x = f(<CURSOR>, 2)\n").completed_by("1)") == snapshot("x = f(⟦1⟧, 2)\n")


async def test_a_bracket_before_a_comment_is_left_out() -> None:
    assert await python("x = f(<CURSOR>)  # note\n").completed_by("a, b)") == snapshot("x = f(⟦a, b⟧)  # note\n")


async def test_a_colon_before_the_rest_of_a_condition_is_left_out() -> None:
    shown = await python("""\
if f(<CURSOR>) and g:
    pass
""").completed_by("a):")
    assert shown == snapshot("""\
if f(⟦a⟧) and g:
    pass
""")


async def test_a_colon_before_a_return_type_is_left_out() -> None:
    shown = await python("""\
def f(<CURSOR>) -> int:
    pass
""").completed_by("a: int, b: int):")
    assert shown == snapshot("""\
def f(⟦a: int, b: int⟧) -> int:
    pass
""")


async def test_a_method_call_that_follows_is_kept() -> None:
    assert await javascript("foo(<CURSOR>).bar();\n").completed_by("a).baz();") == snapshot("foo(⟦a⟧).bar();\n")


async def test_a_brace_before_a_return_type_is_left_out() -> None:
    shown = await typescript("""\
function f(<CURSOR>): void {
}
""").completed_by("a: string) {")
    assert shown == snapshot("""\
function f(⟦a: string⟧): void {
}
""")


async def test_a_word_before_another_keeps_its_blank() -> None:
    shown = await python("""\
if <CURSOR>foo:
    pass
""").completed_by("not ")
    assert shown == snapshot("""\
if ⟦not ⟧foo:
    pass
""")


async def test_a_word_that_follows_is_not_repeated() -> None:
    assert await python("x = <CURSOR>foo(1)\n").completed_by("bar + foo") == snapshot("x = ⟦bar + ⟧foo(1)\n")


async def test_all_of_a_short_rest_is_not_repeated() -> None:
    assert await python("x = f(<CURSOR>a)\n").completed_by("b, a)") == snapshot("x = f(⟦b, ⟧a)\n")


async def test_two_letters_that_happen_to_follow_are_kept() -> None:
    assert await python("x = <CURSOR>red + 1\n").completed_by("2 * re") == snapshot("x = ⟦2 * re⟧red + 1\n")


async def test_a_quote_before_the_rest_of_a_string_is_left_out() -> None:
    assert await python('print("<CURSOR>a")\n').completed_by('b") + y') == snapshot('print("⟦b⟧a")\n')
