"""What an editor shows after the cursor: one suggestion at a time, which stays while it is typed as suggested."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from codegemma_lsp.document import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A suggestion on the screen.

    ``text`` would be inserted at ``offset``, the cursor, and would replace ``overwrites`` characters after it.
    ``typed`` is the part of the suggestion that is already before the cursor. Two values with the same ``number`` are
    one suggestion, which has been on the screen since the second ``since``. ``item`` is the server's id of it.
    """

    number: int
    since: float
    offset: int
    text: str
    overwrites: int = 0
    typed: str = ""
    item: str = ""


class Screen:
    """The screen of an editor. ``appearances`` has each suggestion as it was when it appeared. ``now`` returns
    seconds."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.appearances: list[Shown] = []
        self._current: Shown | None = None

    @property
    def shown(self) -> Shown | None:
        """The suggestion on the screen without the part that has been typed, or None."""
        return self._current if self._current is not None and self._current.text else None

    def show(self, offset: int, text: str, overwrites: int = 0, typed: str = "", item: str = "") -> None:
        """Shows an answer for the cursor at ``offset``, or clears the screen if the answer is empty. If one of the old
        and the new text begins with the other, it is the same suggestion."""
        before = self.shown
        if not text:
            self.clear()
        elif before is not None and before.offset == offset and _begin_alike(before.text, text):
            self._current = replace(before, text=text, overwrites=overwrites, typed=typed, item=item)
        else:
            number = len(self.appearances)
            self._current = Shown(
                number=number, since=self.now(), offset=offset, text=text, overwrites=overwrites, typed=typed, item=item
            )
            self.appearances.append(self._current)

    def grow(self, item: str, text: str) -> None:
        """Shows the whole ``text`` of a suggestion that has become longer. It is ignored if another suggestion is
        shown, or if it does not begin with what is typed and shown."""
        current = self._current
        if current is None or not item or current.item != item or not text.startswith(current.typed + current.text):
            return
        rest = text.removeprefix(current.typed)
        if current.text:
            self._current = replace(current, text=rest)
        elif rest:
            self.show(current.offset, rest, current.overwrites, current.typed, item)

    def edit(self, edit: Edit) -> None:
        """Follows an edit of the user. It keeps the rest of the suggestion if its beginning was typed or accepted as
        shown. A suggestion that was typed to its end may still grow."""
        current = self._current
        if current is None:
            return
        text, replaced = edit.text, len(edit.span)
        goes_on = not current.text or current.text.startswith(text)
        keeps = not replaced or (text, replaced) == (current.text, current.overwrites)
        if not (text and edit.span.start == current.offset and goes_on and keeps):
            self.clear()
            return
        self._current = replace(
            current,
            offset=current.offset + len(text),
            text=current.text.removeprefix(text),
            overwrites=current.overwrites - replaced,
            typed=current.typed + text,
        )

    def clear(self) -> None:
        self._current = None


def _begin_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
