"""Of a long file only an excerpt is parsed, and suggestions are the same."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import javascript, php, python, shellscript


async def test_the_line_that_follows_is_not_offered() -> None:
    shown = (
        await python("""\
a = A()
<CURSOR>
print(a.m1(2))
""")
        .below_many_methods()
        .completed_by("print(a.m1(2))\n")
    )
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_bracket_that_follows_is_left_out() -> None:
    shown = (
        await javascript("""\
const a = foo(
  <CURSOR>
);
b();
""")
        .below_many_methods()
        .completed_by("""\
1,
);
b();
""")
    )
    assert shown == snapshot("""\
const a = foo(
  ⟦1,⟧
);
b();
""")


async def test_the_keyword_that_follows_is_left_out() -> None:
    shown = (
        await shellscript("""\
for f in *; do
  <CURSOR>
done
""")
        .below_many_methods()
        .completed_by("""\
echo "$f"
done
""")
    )
    assert shown == snapshot("""\
for f in *; do
  ⟦echo "$f"⟧
done
""")


async def test_a_block_ends_with_its_function() -> None:
    shown = (
        await php("""\
function f($a) {
    <CURSOR>
}
""")
        .below_many_methods()
        .completed_by("""\
return $a;
}

function g\
""")
    )
    assert shown == snapshot("""\
function f($a) {
    ⟦return $a;⟧
}
""")
