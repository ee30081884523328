"""Markdown that grows in a terminal: everything is on the screen or above it once, however long it is."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from codegemma_lsp.cli.markdown_stream import MarkdownStream, finished_length

ROWS = 10
_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\?\d+[hl]|(\n)|(\r)|([^\x1b\n\r]+)")


def screen(printed: str) -> str:
    """What a terminal of ``ROWS`` rows shows and has scrolled away. It moves no higher than its first row."""
    lines, row, column = [""], 0, 0
    for number, code, newline, back, text in _PART.findall(printed):
        if newline:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif back:
            column = 0
        elif code == "A":
            row = max(row - int(number or 1), len(lines) - ROWS, 0)
        elif code == "K":
            lines[row] = ""
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return "\n".join(line.rstrip() for line in lines)


def written(text: str, step: int = 3) -> str:
    """The screen after ``text`` has come in small pieces, each of which was drawn."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=60, height=ROWS, emoji=False)
    with MarkdownStream(console) as stream:
        for start in range(0, len(text), step):
            stream.write(text[start : start + step])
            stream._live.refresh()
    return screen(file.getvalue())


PARAGRAPHS = "\n\n".join(f"Paragraph {n} says **something** about the code, in more than one line." for n in range(30))
CODE = "```python\n" + "\n".join(f"line_{n} = {n}" for n in range(40)) + "\n```\n"
LIST = "\n".join(f"{n}. item {n}" for n in range(1, 31))


@pytest.mark.parametrize(
    ("text", "each"),
    [
        pytest.param(PARAGRAPHS, [f"Paragraph {n} says" for n in range(30)], id="paragraphs"),
        pytest.param(CODE, [f"line_{n} = {n}" for n in range(40)], id="code"),
        pytest.param(LIST, [f"item {n}" for n in range(1, 31)], id="list"),
        pytest.param(f"Before.\n\n{CODE}\nAfter.\n", ["Before.", "line_7 = 7", "After."], id="mixed"),
    ],
)
def test_everything_is_printed_once(text: str, each: list[str]) -> None:
    shown = written(text)
    for phrase in each:
        assert len(re.findall(rf"{re.escape(phrase)}(?!\d)", shown)) == 1, phrase


def test_blocks_are_apart_as_if_they_had_been_printed_together() -> None:
    text = "One.\n\nTwo.\n\n- a\n- b\n\nThree.\n"
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=60, height=ROWS)
    from rich.markdown import Markdown

    console.print(Markdown(text))
    assert written(text).strip() == screen(file.getvalue()).strip()


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("One", ""),
        ("One\n\n", ""),
        ("One\n\nTwo", "One\n\n"),
        ("One\n\n```python\n\nx = 1\n\ny", "One\n\n"),
        ("- a\n\n- b\n\n- c", ""),
        ("# Title\nText\n\nMore", "# Title\nText\n\n"),
    ],
)
def test_only_the_last_block_may_change(text: str, finished: str) -> None:
    assert text[: finished_length(text)] == finished


def test_names_of_emoji_and_brackets_stay() -> None:
    assert "set :warning: and d[:a:] [red]x[/red]" in written("set :warning: and d[:a:] [red]x[/red]\n")
