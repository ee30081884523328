"""Where one line would mend a broken file, a suggestion mends it or is not shown. The evaluation found these."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import python


async def test_a_statement_that_leaves_orphans_without_a_header_is_not_offered() -> None:
    shown = await python("""\
def longest(words, most):
    most = 3
<CURSOR>
        if len(word) == most:
            return word
""").completed_by("    return max(words, key=len)\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_the_header_that_orphans_lack_is_offered() -> None:
    shown = await python("""\
def longest(words, most):
    most = 3
<CURSOR>
        if len(word) == most:
            return word
""").completed_by("    for word in words:\n")
    assert shown == snapshot("""\
def longest(words, most):
    most = 3
⟦    for word in words:⟧
        if len(word) == most:
            return word
""")


async def test_a_header_half_typed_above_orphans_is_completed() -> None:
    shown = await python("""\
def longest(words, most):
    most = 3
    for word in <CURSOR>
        if len(word) == most:
            return word
""").completed_by("words:\n")
    assert shown == snapshot("""\
def longest(words, most):
    most = 3
    for word in ⟦words:⟧
        if len(word) == most:
            return word
""")


async def test_a_branch_that_leaves_an_empty_one_is_not_offered() -> None:
    shown = await python("""\
if a > 2:
    b = 1
elif a > 1:
<CURSOR>
elif a > 0:
    b = 3
""").completed_by("""\
elif a > 1.5:
    b = 4
""")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_the_statement_that_an_empty_branch_lacks_is_offered() -> None:
    shown = await python("""\
if a > 2:
    b = 1
elif a > 1:
<CURSOR>
elif a > 0:
    b = 3
""").completed_by("    b = 2\n")
    assert shown == snapshot("""\
if a > 2:
    b = 1
elif a > 1:
⟦    b = 2⟧
elif a > 0:
    b = 3
""")


async def test_an_if_where_an_except_lacks_its_try_is_not_offered() -> None:
    shown = await python("""\
for a in b:
<CURSOR>
        c(a)
    except KeyError:
        pass
""").completed_by("    if a:\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_the_try_that_an_except_lacks_is_offered() -> None:
    shown = await python("""\
for a in b:
<CURSOR>
        c(a)
    except KeyError:
        pass
""").completed_by("    try:\n")
    assert shown == snapshot("""\
for a in b:
⟦    try:⟧
        c(a)
    except KeyError:
        pass
""")


async def test_a_comment_may_begin_an_empty_block() -> None:
    shown = await python("""\
def f(xs):
<CURSOR>
""").completed_by("    # the mean")
    assert shown == snapshot("""\
def f(xs):
⟦    # the mean⟧
""")


async def test_a_header_may_begin_an_empty_block_where_multiline_is_off() -> None:
    shown = await python("""\
def f(xs):
<CURSOR>
""").completed_by("    for x in xs:", multiline=False)
    assert shown == snapshot("""\
def f(xs):
⟦    for x in xs:⟧
""")


async def test_a_statement_at_the_cursors_depth_that_leaves_orphans_is_not_offered() -> None:
    shown = await python("""\
def longest(words, most):
    most = 3
    <CURSOR>
        if len(word) == most:
            return word
""").completed_by("return max(words, key=len)\n")
    assert shown == snapshot("no suggestion: nothing was left that fits the code around the cursor")


async def test_a_header_at_the_cursors_depth_is_offered_to_orphans() -> None:
    shown = await python("""\
def longest(words, most):
    most = 3
    <CURSOR>
        if len(word) == most:
            return word
""").completed_by("for word in words:\n")
    assert shown == snapshot("""\
def longest(words, most):
    most = 3
    ⟦for word in words:⟧
        if len(word) == most:
            return word
""")
