"""What the tour prints: headings with their cost at the right, code with a suggestion in it, answers and diffs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff

from editor import Cost, Ghost
from rich.console import Console
from rich.text import Text

from codegemma_lsp.document import Document

_WIDEST, _NARROWEST = 96, 80
_ABOVE, _BELOW = 4, 2
_INDENT = "  "
_TAB = "    "


class Screen:
    """Prints to stdout. Without colour a suggestion stands between ⟦ and ⟧."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, soft_wrap=True)
        wide = self.console.width if self.console.is_terminal else _WIDEST
        self.width = max(_NARROWEST, min(_WIDEST, wide))
        self._coloured = self.console.color_system is not None and not self.console.no_color
        self._ghost = "italic cyan" if self.console.color_system == "standard" else "italic bright_black"

    def say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style))

    def heading(self, title: str) -> None:
        self.say(title, "bold")

    def cost(self, where: str, cost: Cost) -> None:
        """The last line of a place: where it is, and at the right what the answer took."""
        ms = f"{cost.ms:.1f}" if cost.ms < 10 else f"{cost.ms:.0f}"
        counts = f"{ms:>5} ms {cost.prefill:>5} prefill {cost.cached:>5} cached {cost.completion:>4} new"
        self.say(f"{where:<{self.width - len(counts)}}{counts}\n", "dim")

    def suggestion(self, name: str, document: Document, offset: int, ghost: Ghost) -> None:
        """The lines around a cursor, numbered, with the suggestion in its place."""
        row = document.line_at(offset)
        first = _first_line(document, row)
        last = min(document.line_count - 1, row + _BELOW)
        body = Text(document.text[int(document.starts[first]) : offset])
        after = offset
        if ghost.text:
            body.append(ghost.text if self._coloured else f"⟦{ghost.text}⟧", self._ghost)
            after = ghost.span.end
        body.append(document.text[after : document.line_span(last).end])
        lines = list(body.split("\n", allow_blank=True))
        while lines and not lines[-1].plain.strip():
            lines.pop()
        for number, line in enumerate(lines, first + 1):
            line.expand_tabs(len(_TAB))
            self.console.print(Text.assemble((f"{number:>5} │ ", "dim"), line))
        if not ghost.text:
            self.say(f"        no suggestion: {ghost.reason}", "dim")
        column = offset - int(document.starts[row]) + 1
        self.cost(f"        {name}:{row + 1}:{column}", ghost.cost)

    @contextmanager
    def answer(self) -> Iterator[Words]:
        words = Words(self.console, self.width)
        yield words
        words.end()

    def diff(self, before: str, after: str) -> None:
        """What would change: green lines come, red ones go."""
        lines = list(unified_diff(before.split("\n"), after.split("\n"), n=2, lineterm=""))
        for line in lines[2:]:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[0], "")
            self.console.print(Text(f"{_INDENT}{line.replace(chr(9), _TAB)}", style))


class Words:
    """Prints text as it comes, broken between words at the screen's width."""

    def __init__(self, console: Console, width: int) -> None:
        self._console, self._width = console, width - len(_INDENT)
        self._column, self._word, self._blanks = 0, "", ""

    def __call__(self, text: str) -> None:
        for char in text:
            if char in " \n":
                self._flush()
                self._space(char)
            else:
                self._word += char

    def end(self) -> None:
        self._flush()
        self._put("\n" if self._column else "")

    def _space(self, char: str) -> None:
        if char == "\n":
            self._break()
        else:
            self._blanks += char

    def _flush(self) -> None:
        if not self._word:
            return
        if self._column and self._column + len(self._blanks) + len(self._word) > self._width:
            self._break()
        piece = self._blanks + self._word
        self._put(piece if self._column else _INDENT + piece)
        self._column += len(piece)
        self._word = self._blanks = ""

    def _break(self) -> None:
        self._put("\n")
        self._column, self._blanks = 0, ""

    def _put(self, text: str) -> None:
        self._console.out(text, end="", highlight=False)


def _first_line(document: Document, row: int) -> int:
    """Where the lines shown begin: a few above the cursor's, and no blank one."""
    first = max(0, row - _ABOVE)
    while first < row and not document.line_text(first).strip():
        first += 1
    return first
