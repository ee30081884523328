"""``codegemma-lsp serve`` with a model that writes slowly what it is told to: ``slow_server.py TEXT serve``.

Where a beginning of TEXT stands before the cursor, the model writes the rest of it, three characters every 60 ms, so
that an editor can be watched while a suggestion grows. Elsewhere it writes nothing.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from codegemma_lsp import engines
from codegemma_lsp.cli.app import main
from codegemma_lsp.engines.generation import as_generation
from codegemma_lsp.engines.protocol import Finish, Generation, Progress, Request, Usage
from codegemma_lsp.prompt import Text
from tests.scripted import ScriptedEngine

BEGUN = "total = "
REST = "first_name + second_name + third_name(fourth, fifth) + sixth_name"
PIECE_S = 0.06
SHORTEST = 4
"""Characters that must stand before the cursor."""


class SlowEngine(ScriptedEngine):
    """A request that was cancelled goes on where it stopped."""

    async def generate(self, request: Request) -> Generation:
        progress, finish, rest = request.progress or Progress(), Finish.STOP_TOKEN, self._rest(request)
        while request.max_tokens and len(progress.text) < len(rest):
            await asyncio.sleep(PIECE_S)
            if request.given_up is not None and request.given_up():
                finish = Finish.CANCELLED
                break
            progress.text = rest[: len(progress.text) + 3]
            progress.tokens.append(0)
            progress.logprobs.append(-0.1)
            progress.ends.append(len(progress.text))
            if request.on_text is not None and request.on_text(progress.text):
                finish = Finish.ON_TEXT
                break
        return as_generation(progress, finish, Usage(prompt_tokens=1, prefill_tokens=1))

    def _rest(self, request: Request) -> str:
        texts = [part.text for part in request.prompt.segments if isinstance(part, Text) and part.reason != "suffix"]
        before = "".join(texts) + request.prompt.forced_prefix.decode()
        lengths = range(len(self.answer), SHORTEST - 1, -1)
        return next((self.answer[length:] for length in lengths if before.endswith(self.answer[:length])), "")


def command(text: str) -> tuple[str, ...]:
    """What starts the server; the last word of it is ``serve``."""
    return sys.executable, __file__, text, "serve"


if __name__ == "__main__":
    written = sys.argv.pop(1)
    engines.load = lambda *_, **__: SlowEngine(written)
    main()
