"""The statements of the block that the line opens stand below already."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import javascript, python


async def test_a_header_whose_statements_stand_below_gets_no_second_block() -> None:
    shown = await python("""\
def total(numbers):
    result = 0
<CURSOR>
        result += number
    return result
""").completed_by("""\
    for number in numbers:
        print(number)
    return result
""")
    assert shown == snapshot("""\
def total(numbers):
    result = 0
⟦    for number in numbers:⟧
        result += number
    return result
""")


async def test_a_header_without_statements_gets_its_block() -> None:
    shown = await python("""\
def total(numbers):
    result = 0
<CURSOR>
    return result
""").completed_by("""\
    for number in numbers:
        print(number)
    return result
""")
    assert shown == snapshot("""\
def total(numbers):
    result = 0
⟦    for number in numbers:
        print(number)⟧
    return result
""")


async def test_a_condition_keeps_the_statements_that_stand_below() -> None:
    shown = await javascript("""\
if (a > b<CURSOR>
  c();
}
""").completed_by("""\
) {
  return d;
}
""")
    assert shown == snapshot("""\
if (a > b⟦) {⟧
  c();
}
""")


async def test_a_condition_in_python_keeps_the_statements_that_stand_below() -> None:
    shown = await python("""\
if a <CURSOR>
    c()
""").completed_by("""\
> b:
    return d
""")
    assert shown == snapshot("""\
if a ⟦> b:⟧
    c()
""")


async def test_a_header_that_the_model_was_not_stopped_at_gets_no_second_block() -> None:
    shown = await python("""\
def total(numbers):
    result = 0
<CURSOR>
        result += number
    return result
""").completed_by(
        """\
    for number in numbers:
        print(number)
""",
        earlyStop=False,
    )
    assert shown == snapshot("""\
def total(numbers):
    result = 0
⟦    for number in numbers:⟧
        result += number
    return result
""")


async def test_blanks_behind_the_headers_colon_change_nothing() -> None:
    shown = await python("""\
def total(numbers):
    result = 0
<CURSOR>
        result += number
    return result
""").completed_by("    for number in numbers:  \n        print(number)\n", earlyStop=False)
    assert shown == snapshot("""\
def total(numbers):
    result = 0
⟦    for number in numbers:⟧
        result += number
    return result
""")
