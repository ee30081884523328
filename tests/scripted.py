"""An engine that says what it is told to say: for tests of control flow and of what is done with any output."""

from __future__ import annotations

from collections.abc import Callable

from codegemma_lsp.engines.protocol import EngineError, Finish, Generation, Request, Usage
from codegemma_lsp.prompt import CODEGEMMA, Prompt, Special


class Bytes:
    """A vocabulary of single bytes."""

    begins_with_bos, family = True, CODEGEMMA

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def encode_markup(self, text: str) -> list[int]:
        return self.encode(text)

    def name(self, special: Special) -> str:
        return CODEGEMMA.texts.get(special, "")

    def piece(self, token: int) -> bytes:
        return bytes([token])

    def special(self, special: Special) -> int:
        return CODEGEMMA.ids[special]


class ScriptedEngine:
    """Streams ``answer`` in pieces of three characters, as an engine would, until ``on_text`` ends it."""

    name = "scripted"
    context_tokens = 100_000
    usage = Usage()
    idle, threads = True, 1
    chat_template = ""
    prefill_speed = 0.0

    def __init__(
        self,
        answer: str = "",
        logprob: float = -0.1,
        error: EngineError | None = None,
        finish: Finish = Finish.STOP_TOKEN,
    ) -> None:
        self.answer, self.logprob, self.error, self.finish = answer, logprob, error, finish
        self.requests: list[Request] = []
        self.tokenizer: Bytes = Bytes()

    async def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        said, finish = "", self.finish
        for start in range(0, len(self.answer), 3):
            said += self.answer[start : start + 3]
            if request.on_text is not None and request.on_text(said):
                finish = Finish.ON_TEXT
                break
        usage = Usage(
            prompt_tokens=request.prompt.tokens, prefill_tokens=request.prompt.tokens, completion_tokens=len(said)
        )
        return Generation(text=said, finish=finish, usage=usage, logprobs=(self.logprob,) * len(said))

    def unread(self, prompt: Prompt) -> int:
        return prompt.tokens

    def close(self) -> None: ...


def noted(texts: list[str], longest: int) -> Callable[[str], bool]:
    """Returns an ``OnText`` that notes each text, and ends the generation once one has more than ``longest``
    characters."""

    def on_text(text: str) -> bool:
        texts.append(text)
        return len(text) > longest

    return on_text
