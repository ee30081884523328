"""A tour of codegemma-lsp: types in the files of a small shop, and shows what the real server answers.

It checks nothing; ``tests/test_demo.py`` does.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys

import places
from editor import Editor, Ghost, ServerFailed
from model import chosen
from places import Place, Request
from pygls.exceptions import JsonRpcException
from screen import Screen

from codegemma_lsp.document import Edit, Span
from codegemma_lsp.models.errors import PullInterrupted

_FIRST_WORDS = re.compile(r"[^\w\n]*\w+[^\w\n]*")
_LOOK_SECONDS = 1.0
_LEGEND = """\
Each place is typed into a file of tests/data/shop, through the real server. At the right of each:
the time from the last key to the answer; tokens read (prefill), cached, and written (new).
"""
_NEXT = """\
Complete in your own file:  .venv/bin/codegemma-lsp complete FILE:LINE:COL
Set up your editor:         editors/ has one folder for each, with its README
See and choose models:      .venv/bin/codegemma-lsp models list"""


class Tour:
    def __init__(self, screen: Screen, editor: Editor) -> None:
        self._screen, self._editor = screen, editor

    async def suggest(self, place: Place) -> tuple[int, Ghost]:
        """Opens a file, types at its place, and shows what is suggested; returns the cursor and the suggestion."""
        self._screen.heading(place.title)
        text, offset = place.opened()
        self._editor.view(place.name, text)
        await self._editor.rest(offset)
        offset = await self._editor.type(offset, place.typed)
        return offset, await self._shown(place, offset)

    async def type_through(self, place: Place) -> None:
        """Types the first words of a suggestion: the rest is answered without the model."""
        offset, ghost = await self.suggest(place)
        if (words := _FIRST_WORDS.match(ghost.text)) is None:
            return
        self._screen.heading(f"Typed as suggested (“{words[0].strip()}”): the rest costs the model nothing")
        for key in words[0][:-1]:
            offset = await self._editor.type(offset, key)
            await self._editor.complete(offset)
        await self._shown(place, await self._editor.type(offset, words[0][-1]))

    async def accept(self, place: Place) -> None:
        """Accepts a suggestion after a look at it: what follows has been prefetched."""
        _, ghost = await self.suggest(place)
        if not ghost.text:
            return
        self._screen.heading("Accepted with Tab: the next line was ready before it was asked for")
        await self._editor.pause(_LOOK_SECONDS)
        self._editor.edit(Edit(ghost.span, ghost.text))
        await self._shown(place, ghost.span.start + len(ghost.text))

    async def ask(self, request: Request) -> None:
        """Asks about a function; the answer is shown as it comes."""
        span = await self._ready(request)
        with self._screen.answer() as words:
            whole, cost = await self._editor.ask(f"{request.command} {request.words}", span, words)
        self._screen.cost(f"        {request.name}{'' if whole else ', cut short for the tour'}", cost)

    async def propose(self, request: Request) -> None:
        """Shows what a command would change."""
        span = await self._ready(request)
        after, cost = await self._editor.propose(request.command.removeprefix("/"), request.words, span)
        self._screen.diff(self._editor.document.text, after)
        self._screen.cost(f"        {request.name}", cost)

    async def _ready(self, request: Request) -> Span:
        self._screen.heading(request.title)
        self._screen.say(f"  > {request.command} {request.words}".rstrip())
        text, span = request.opened()
        self._editor.view(request.name, text)
        return span

    async def _shown(self, place: Place, offset: int) -> Ghost:
        ghost = await self._editor.complete(offset)
        self._screen.suggestion(place.name, self._editor.document, offset, ghost)
        return ghost


async def lead(screen: Screen, settings: dict[str, str]) -> None:
    """The whole tour. Raises ``ServerFailed``."""
    editor = Editor(places.FOLDER, lambda text: screen.say(text, "yellow"))
    try:
        screen.say(f"{await editor.start(settings)}\n", "bold")
        await editor.while_serving(_places(screen, Tour(screen, editor)))
    finally:
        await editor.stop()


async def _places(screen: Screen, tour: Tour) -> None:
    screen.say(_LEGEND)
    await tour.suggest(places.SUM)
    await tour.type_through(places.TOTAL)
    await tour.suggest(places.ERROR)
    await tour.suggest(places.INSERT)
    await tour.suggest(places.MIDDLE)
    await tour.suggest(places.FUNCTION)
    await tour.accept(places.PARSER)
    await _talk(tour, screen)
    screen.say(_NEXT)


async def _talk(tour: Tour, screen: Screen) -> None:
    """Chat and edits; what the model cannot do is said in its sentence."""
    for lead_to, request in (
        (tour.ask, places.EXPLAINED),
        (tour.propose, places.DOCUMENTED),
        (tour.propose, places.CHECKED),
    ):
        try:
            await lead_to(request)
        except ServerFailed as refused:
            screen.say(f"  {refused}\n", "dim")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="A tour of codegemma-lsp in a terminal.")
    parser.add_argument("--nano", action="store_true", help="use the small bundled model, and fetch nothing")
    nano = parser.parse_args().nano
    screen = Screen()
    try:
        asyncio.run(lead(screen, chosen(screen, nano=nano)))
    except (ServerFailed, PullInterrupted, TimeoutError, JsonRpcException) as error:
        said = str(error) or "The server has not answered; .venv/bin/codegemma-lsp doctor checks the installation."
        print(f"demo: {said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
