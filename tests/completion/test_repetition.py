"""What stands below the cursor already, or is said over and over, is not suggested."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import javascript, python, ruby


async def test_the_line_that_follows_is_not_offered() -> None:
    shown = await python("""\
x = 1
<CURSOR>
return_value = x
""").completed_by("return_value = x\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_last_lines_that_follow_are_left_out() -> None:
    shown = await python("""\
def f():
    a()
    <CURSOR>
    return 1
""").completed_by("""\
b()
    return 1
""")
    assert shown == snapshot("""\
def f():
    a()
    ⟦b()⟧
    return 1
""")


async def test_the_brace_that_closes_the_function_is_left_out() -> None:
    shown = await javascript("""\
function f(a) {
  <CURSOR>
}
""").completed_by("""\
g(a);
  return a;
}
""")
    assert shown == snapshot("""\
function f(a) {
  ⟦g(a);
  return a;⟧
}
""")


async def test_a_comment_over_and_over_is_shown_once() -> None:
    shown = await python("<CURSOR>").completed_by("""\
# the same
# the same
# the same
# the same
# the same
# the same
# the same
# the same
# the same\
""")
    assert shown == snapshot("⟦# the same⟧")


async def test_a_statement_over_and_over_is_shown_once() -> None:
    shown = await python("""\
def f():
    <CURSOR>
""").completed_by("""\
a()
    b()
    c()
    c()
    c()
    c()
    c()
    c()
    c()
""")
    assert shown == snapshot("""\
def f():
    ⟦a()
    b()
    c()⟧
""")


async def test_one_unit_over_and_over_is_not_offered() -> None:
    shown = await python("x = <CURSOR>").completed_by("ab" * 40)
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_color_is_no_repetition() -> None:
    shown = await javascript("const color = <CURSOR>\n").completed_by('"#ffffff";\n')
    assert shown == snapshot('const color = ⟦"#ffffff";⟧\n')


async def test_zeros_are_no_repetition() -> None:
    assert await python("x = <CURSOR>\n").completed_by("1000000\n") == snapshot("x = ⟦1000000⟧\n")


async def test_a_list_of_equal_numbers_is_no_repetition() -> None:
    shown = await python("x = <CURSOR>\n").completed_by("[0, 0, 0, 0, 0, 0, 0]\n")
    assert shown == snapshot("x = ⟦[0, 0, 0, 0, 0, 0, 0]⟧\n")


async def test_an_assignment_that_stands_below_is_not_offered() -> None:
    shown = await python("""\
x = <CURSOR>
x = 1
""").completed_by("1\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_line_that_resembles_the_next_is_offered() -> None:
    shown = await python("""\
parser.add_argument("--width", type=int, default=10, help="its size")
<CURSOR>
parser.add_argument("--depth", type=int, default=10, help="its size")
""").completed_by('parser.add_argument("--height", type=int, default=10, help="its size")\n')
    assert shown == snapshot("""\
parser.add_argument("--width", type=int, default=10, help="its size")
⟦parser.add_argument("--height", type=int, default=10, help="its size")⟧
parser.add_argument("--depth", type=int, default=10, help="its size")
""")


async def test_the_keyword_that_closes_the_method_is_left_out() -> None:
    shown = await ruby("""\
class A
  def f
    <CURSOR>
  end
end
""").completed_by("""\
a = 1
    a + 2
  end
""")
    assert shown == snapshot("""\
class A
  def f
    ⟦a = 1
    a + 2⟧
  end
end
""")


async def test_several_lines_that_resemble_those_below_are_not_offered() -> None:
    shown = await python("""\
<CURSOR>
plot(
    first=compute(alpha, beta),
    second=compute(gamma, delta),
    third=compute(epsilon, zeta))
""").completed_by(
        """\
plot(
    first=compute(alpha, beta),
    second=compute(gamma, delta),
    third=compute(epsilon, eta))
""",
        earlyStop=False,
    )
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_several_lines_unlike_those_below_are_offered() -> None:
    shown = await python("""\
<CURSOR>
plot(
    first=compute(alpha, beta),
    second=compute(gamma, delta),
)
""").completed_by("""\
draw(
    width=measure(12),
    height=measure(7),
)
""")
    assert shown == snapshot("""\
⟦draw(
    width=measure(12),
    height=measure(7),
)⟧
plot(
    first=compute(alpha, beta),
    second=compute(gamma, delta),
)
""")


async def test_a_block_that_goes_on_into_the_lines_below_ends_before_them() -> None:
    shown = await python("""\
def first_prime_fib(f, n):
<CURSOR>
        f.append(f[-1] + f[-2])
        if is_prime(f[-1]):
            n -= 1
        if n == 0:
            return f[-1]
""").completed_by("""\
    while True:
        if n == 0:
            return f[-1]
        f.append(f[-1] + f[-2])
        if is_prime(f[-1]):
            n -= 1
        else:
            f.append(0)
""")
    assert shown == snapshot("""\
def first_prime_fib(f, n):
⟦    while True:
        if n == 0:
            return f[-1]⟧
        f.append(f[-1] + f[-2])
        if is_prime(f[-1]):
            n -= 1
        if n == 0:
            return f[-1]
""")
