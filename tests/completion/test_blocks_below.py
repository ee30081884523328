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


async def test_where_nothing_of_several_lines_fits_the_first_is_tried_alone() -> None:
    """The model has missed the block's level, so that the next statement of its own would end the block."""
    shown = await python("""\
def factors(n):
    found, i = [], 2
    while i <= n:
        if n % i == 0:
            found.append(i)
<CURSOR>
        else:
            i += 1
    return found
""").completed_by("""\
        n //= i
    return found


def check():
    assert factors(8) == [2, 2, 2]
""")
    assert shown == snapshot("""\
def factors(n):
    found, i = [], 2
    while i <= n:
        if n % i == 0:
            found.append(i)
⟦            n //= i⟧
        else:
            i += 1
    return found
""")


async def test_a_header_after_a_blank_line_keeps_the_statements_that_stand_below() -> None:
    shown = await python("""\
def below_zero(operations):
    balance = 0
    for each in operations:
        balance += each
<CURSOR>
            return True
    return False
""").completed_by("\n        if balance < 0:")
    assert shown == snapshot("""\
def below_zero(operations):
    balance = 0
    for each in operations:
        balance += each
⟦
        if balance < 0:⟧
            return True
    return False
""")


async def test_many_blank_lines_are_no_first_line() -> None:
    shown = await python("""\
def area(width, height):
<CURSOR>
    return width * height
""").completed_by("\n" * 9 + "    def area(width):\n  return")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_what_is_left_of_several_lines_is_not_the_next_line() -> None:
    shown = await python("""\
def fix_spaces(text):
    new_text = ""
    i = 0
    start, end = 0, 0
    while i < len(text):
        if text[i] == " ":
            end += 1
        else:
            if end - start > 2:
<CURSOR>
                new_text += "_" * (end - start) + text[i]
            else:
                new_text += text[i]
            start, end = i + 1, i + 1
        i += 1
    return new_text
""").completed_by("""\
            new_text += "_" * (end - start) + text[i]
        else:
            new_text += text[i]
        start, end = i + 1, i + 1
    if end - start > 2:
        new_text += "-"
    elif end - start > 0:
        new_text += "_"
    return new_text


# Check function to verify the correctness of the solution
def check_solution():
    assert fix_spaces("Example") == "Example"
""")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")
