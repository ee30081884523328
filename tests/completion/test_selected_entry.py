"""An entry is selected in the editor's completion list: the suggestion begins with it, and replaces what it would."""

from __future__ import annotations

from inline_snapshot import snapshot

from codegemma_lsp.completion import Selected
from codegemma_lsp.document import Span
from tests.completion.story import Typing


async def test_the_suggestion_goes_on_from_the_entry() -> None:
    typing = Typing("()")
    assert await typing.sees("x = obj.va<CURSOR>\n", selected=Selected(Span(8, 10), "values")) == snapshot(
        "x = obj.⟦values()⟧\n"
    )


async def test_an_entry_that_would_replace_another_place_is_ignored() -> None:
    typing = Typing("lue")
    assert await typing.sees("x = obj.va<CURSOR>\n", selected=Selected(Span(0, 1), "y")) == snapshot(
        "x = obj.va⟦lue⟧\n"
    )


async def test_an_entry_over_several_lines_is_ignored() -> None:
    typing = Typing("lue")
    assert await typing.sees("x = obj.va<CURSOR>\n", selected=Selected(Span(8, 10), "a\nb")) == snapshot(
        "x = obj.va⟦lue⟧\n"
    )


async def test_an_entry_that_would_replace_lines_is_ignored() -> None:
    typing = Typing("lue")
    assert await typing.sees("x = obj.va<CURSOR>\ny\n", selected=Selected(Span(8, 12), "values")) == snapshot("""\
x = obj.va⟦lue⟧
y
""")


async def test_an_entry_that_reaches_behind_the_cursor_replaces_what_it_would() -> None:
    typing = Typing("()")
    assert await typing.sees("x = obj.va<CURSOR>xy\n", selected=Selected(Span(8, 12), "values")) == snapshot(
        "x = obj.⟦values()⟧\n"
    )
