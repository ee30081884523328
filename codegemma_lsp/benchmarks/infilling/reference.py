"""Engines that check the benchmark itself: one that knows every answer, and one that knows none."""

from __future__ import annotations

from collections.abc import Sequence

from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.engines.protocol import Finish, Generation, Request, Usage
from codegemma_lsp.prompt import CODEGEMMA, Prompt, Special, Text

ORACLE, EMPTY = "oracle", "empty"


class Lines:
    """A vocabulary in which every line is a token."""

    begins_with_bos, family = True, CODEGEMMA

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._lines: list[str] = []

    def encode(self, text: str) -> list[int]:
        lines = text.splitlines(keepends=True)
        for line in lines:
            if line not in self._ids:
                self._ids[line] = len(self._lines)
                self._lines.append(line)
        return [self._ids[line] for line in lines]

    def encode_markup(self, text: str) -> list[int]:
        return self.encode(text)

    def name(self, special: Special) -> str:
        return CODEGEMMA.texts.get(special, "")

    def piece(self, token: int) -> bytes:
        return self._lines[token].encode("utf-8", "replace")

    def special(self, special: Special) -> int:
        return CODEGEMMA.ids[special]


class ReferenceEngine:
    """Answers a prompt with the middle of the task that it was made from, or with nothing if it does not know the
    task."""

    context_tokens = 1_000_000
    usage, idle, threads = Usage(), True, 1
    chat_template = ""
    prefill_speed = 0.0

    def __init__(self, name: str, tasks: Sequence[Task] = ()) -> None:
        self.name, self.tokenizer = name, Lines()
        self._middles = {(task.prefix, task.suffix): task.middle for task in tasks}

    async def generate(self, request: Request) -> Generation:
        parts = {s.reason: s.text for s in request.prompt.segments if isinstance(s, Text)}
        prefix = parts.get("prefix", "") + parts.get("middle so far", "") + request.prompt.forced_prefix.decode()
        suffix = parts.get("suffix", "")
        # A task of whole lines is asked on an empty line, whose line end is in the suffix.
        middle = self._middles.get((prefix, suffix)) or self._middles.get((prefix, suffix.removeprefix("\n")), "")
        text = ""
        for end in range(1, len(middle) + 1):
            text = middle[:end]
            if request.on_text is not None and request.on_text(text):
                break
        used = Usage(
            prompt_tokens=request.prompt.tokens, prefill_tokens=request.prompt.tokens, completion_tokens=len(text)
        )
        return Generation(text=text, finish=Finish.STOP_TOKEN, usage=used, logprobs=(0.0,) * len(text))

    def unread(self, prompt: Prompt) -> int:
        return prompt.tokens

    def close(self) -> None: ...
