"""``codegemma-lsp serve`` with a chat model that answers slowly what it is told to: ``slow_chat.py FILE serve``.

FILE holds a JSON object with an answer for each question. Other questions get none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from codegemma_lsp import engines
from codegemma_lsp.cli.app import main
from codegemma_lsp.engines.protocol import Request
from codegemma_lsp.prompt import Text
from codegemma_lsp.prompt.chat_template import GEMMA
from tests.slow_server import SlowEngine


class SlowChat(SlowEngine):
    """Answers the last line of the last message."""

    chat_template = GEMMA

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = answers

    def _rest(self, request: Request) -> str:
        messages = [part.text for part in request.prompt.segments if isinstance(part, Text)]
        return self.answers.get(messages[-1].split("\n")[-1], "") if messages else ""


def command(file: Path) -> tuple[str, ...]:
    """What starts the server; the last word of it is ``serve``."""
    return sys.executable, __file__, str(file), "serve"


if __name__ == "__main__":
    written = json.loads(Path(sys.argv.pop(1)).read_text("utf-8"))
    engines.load = lambda *_, **__: SlowChat(written)
    main()
