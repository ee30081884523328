"""A tour of codegemma-lsp: types in files of a small shop, and shows what the real server answers.

It checks nothing; ``tests/test_demo.py`` does.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time

import places
from editor import Editor, Ghost, ServerFailed
from model import chosen
from places import Place, Subject
from screen import Screen

from codegemma_lsp.document import Edit, Span
from codegemma_lsp.models.errors import PullInterrupted

_FIRST_WORDS = re.compile(r"\W*\w+\W*")
_LOOK_SECONDS = 1.0


class Tour:
    def __init__(self, screen: Screen, editor: Editor) -> None:
        self.screen, self.editor = screen, editor

    async def suggested(self, place: Place, title: str = "") -> tuple[int, Ghost]:
        """Opens a file, types at its place, and shows what is suggested; returns the cursor and the suggestion."""
        self.screen.heading(title or place.title)
        text, offset = place.opened()
        self.editor.view(place.name, text)
        await self.editor.rest(offset)
        offset = await self.editor.type(offset, place.typed)
        return offset, await self._shown(place.title, place.name, offset)

    async def _shown(self, title: str, name: str, offset: int) -> Ghost:
        ghost = await self.editor.complete(offset)
        self.screen.cost(title, ghost.cost)
        self.screen.suggestion(name, self.editor.document, offset, ghost)
        return ghost

    async def typed_through(self, place: Place, offset: int, ghost: Ghost) -> None:
        """Types the suggestion's first words: the rest of it is answered without the model."""
        if (words := _FIRST_WORDS.match(ghost.text)) is None:
            return
        title = f"Typed as suggested ({words[0].strip()}): no work for the model"
        self.screen.heading(title)
        for key in words[0]:
            offset = await self.editor.type(offset, key)
            last = await self.editor.complete(offset)
        self.screen.cost(title, last.cost)
        self.screen.suggestion(place.name, self.editor.document, offset, last)

    async def accepted(self, place: Place, ghost: Ghost) -> None:
        """Accepts a suggestion after a look at it: what follows is there already."""
        if not ghost.text:
            return
        title = "Accepted: what follows is there already"
        self.screen.heading(title)
        await self.editor.pause(_LOOK_SECONDS)
        self.editor.edit(Edit(ghost.span, ghost.text))
        await self._shown(title, place.name, ghost.span.start + len(ghost.text))


async def main(screen: Screen, settings: dict[str, str]) -> None:
    editor = Editor(places.FOLDER, lambda text: screen.say(text, "yellow"))
    try:
        screen.say(f"{await editor.start(settings)}\n", "bold")
        tour = Tour(screen, editor)
        await tour.suggested(places.SUM)
        offset, ghost = await tour.suggested(places.REDUCE)
        await tour.typed_through(places.REDUCE, offset, ghost)
        await tour.suggested(places.ERROR)
        _, ghost = await tour.suggested(places.LOOP)
        await tour.accepted(places.LOOP, ghost)
        await tour.suggested(places.INSERT)
        await tour.suggested(places.MIDDLE)
        await tour.suggested(places.BODY)
    finally:
        await editor.stop()


if __name__ == "__main__":
    began = time.monotonic()
    screen = Screen()
    asyncio.run(main(screen, chosen(screen, nano="--nano" in sys.argv)))
    print(time.monotonic() - began)
