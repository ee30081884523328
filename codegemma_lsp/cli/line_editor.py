"""The line in which a chat message is written, with editing keys, a history, and text of several lines."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from codegemma_lsp.cli.user_data import make_private


class _History(FileHistory):
    """A history that drops questions that cannot be saved, such as on a full disk."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)


class LineEditor:
    """Reads messages at a terminal. Enter sends the message. Alt+Enter and pasted line ends begin a new line.

    Arrows and Ctrl+R search the history. It is in a file that only the user may read, or in memory if that is not
    possible.
    """

    def __init__(self, history: Path, source: Input | None = None, output: Output | None = None) -> None:
        bindings = KeyBindings()
        bindings.add("escape", "enter")(_begin_line)
        self._session: PromptSession[str] = PromptSession(
            [("bold", "> ")],
            history=_opened(history),
            key_bindings=bindings,
            prompt_continuation="  ",
            reserve_space_for_menu=0,
            input=source,
            output=output,
        )

    def read(self) -> str:
        """Returns the next message. Raises ``EOFError`` for Ctrl+D in an empty line, and ``KeyboardInterrupt`` for
        Ctrl+C."""
        return self._session.prompt()


def _begin_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")


def _opened(path: Path) -> History:
    try:
        make_private(path)
    except OSError:
        return InMemoryHistory()
    return _History(str(path))
