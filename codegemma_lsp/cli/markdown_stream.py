"""Shows Markdown in a terminal while it is generated. Finished blocks are printed once, and only the last one is
redrawn."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

_BETWEEN_DRAWINGS_S = 1 / 12


def finished_length(text: str) -> int:
    """Returns the number of characters of a Markdown text before its last block. Text that follows does not change the
    blocks before it."""
    starts = [token.map[0] for token in Markdown(text).parsed if token.level == 0 and token.map and token.nesting >= 0]
    if len(starts) < 2:
        return 0
    return sum(len(line) for line in text.splitlines(keepends=True)[: starts[-1]])


class MarkdownStream:
    """A context manager whose ``write`` takes further text.

    A terminal cannot redraw what has scrolled away. The last lines of the growing block are therefore shown until it is
    finished, and then the whole block is printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._unfinished = ""
        self._has_printed = False
        # Drawn by ``write`` alone: a thread that draws at the same time as something is printed erases too much.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_at = 0.0

    def __enter__(self) -> MarkdownStream:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update("", refresh=True)
        self._live.stop()
        self._print(self._unfinished)

    def write(self, more: str) -> None:
        self._unfinished += more
        length = finished_length(self._unfinished) if "\n" in more else 0
        finished, self._unfinished = self._unfinished[:length], self._unfinished[length:]
        self._live.update(_Blocks(self._unfinished, self._has_printed or bool(finished.strip()), is_cut=True))
        self._print(finished)
        if time.monotonic() - self._drawn_at >= _BETWEEN_DRAWINGS_S:
            self._live.refresh()
            self._drawn_at = time.monotonic()

    def _print(self, blocks: str) -> None:
        if blocks.strip():
            self._console.print(_Blocks(blocks, self._has_printed))
            self._has_printed = True


class _Blocks:
    """Blocks of Markdown, after an empty line if they follow others. With ``is_cut``, only the last lines that fit the
    terminal are shown."""

    def __init__(self, text: str, follows: bool, *, is_cut: bool = False) -> None:
        self._text, self._follows, self._is_cut = text, follows, is_cut

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._text.strip():
            return
        lines = console.render_lines(Markdown(self._text), options, pad=False)
        while lines and not any(segment.text for segment in lines[0]):  # Rich begins a list with an empty line
            del lines[0]
        if self._follows:
            lines.insert(0, [])
        for line in lines[-max(1, console.height - 2) :] if self._is_cut else lines:
            yield from line
            yield Segment.line()
