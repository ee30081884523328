"""Lines end as the file's lines do."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.completion.story import python


async def test_every_line_ends_as_the_files_lines_do() -> None:
    shown = await python("def f(a):\r\n    <CURSOR>\r\n").completed_by("""\
b = a
    return b
""")
    assert shown == snapshot("""\
def f(a):\r
    ⟦b = a\r
    return b⟧\r
""")


async def test_an_emoji_above_moves_nothing() -> None:
    shown = await python("a = '😀'\r\nx = f(<CURSOR>)\r\n").completed_by("1, 2)")
    assert shown == snapshot("""\
a = '😀'\r
x = f(⟦1, 2)⟧\r
""")


async def test_an_escape_that_spells_a_line_end_is_none() -> None:
    shown = await python('a = "x"\r\nb = "\\r"\r\ndef f(a):\r\n    <CURSOR>\r\n').completed_by("""\
c = a
    return c
""")
    assert shown == snapshot("""\
a = "x"\r
b = "\\r"\r
def f(a):\r
    ⟦c = a\r
    return c⟧\r
""")


async def test_a_last_line_without_an_end_takes_that_of_the_line_above() -> None:
    shown = await python("a = 1\r\ndef f(a):\r\n    <CURSOR>").completed_by("""\
b = a
    return b
""")
    assert shown == snapshot("a = 1\r\ndef f(a):\r\n    ⟦b = a\r\n    return b⟧")


async def test_of_mixed_line_ends_the_cursors_line_decides() -> None:
    shown = await python("a = 1\r\nb = 2\ndef f(a):\n    <CURSOR>\nc = 3\r\n").completed_by("""\
b = a
    return b
""")
    assert shown == snapshot("""\
a = 1\r
b = 2
def f(a):
    ⟦b = a
    return b⟧
c = 3\r
""")


async def test_without_any_line_end_it_is_a_line_feed() -> None:
    assert await python("def f(a):<CURSOR>").completed_by("\n    b = a\n    return b\n") == snapshot("""\
def f(a):⟦
    b = a
    return b⟧\
""")


async def test_a_lone_carriage_return_is_a_line_end() -> None:
    assert await python("def f(a):\r    <CURSOR>\r").completed_by("b = a\n    return b\n") == snapshot(
        "def f(a):\r    ⟦b = a\r    return b⟧\r"
    )
