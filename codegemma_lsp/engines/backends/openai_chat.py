"""Conversations for servers that render the model's chat template themselves, and do not tell it."""

from __future__ import annotations

from dataclasses import dataclass

from codegemma_lsp.engines.backends.openai_tokens import Spelled
from codegemma_lsp.prompt import TURN, Markup, Prompt, Special, Text


@dataclass(frozen=True, slots=True)
class Turns:
    """A conversation as pairs of role and text, and how the answer shall begin."""

    messages: tuple[tuple[str, str], ...]
    begun: str = ""

    def sent(self) -> list[dict[str, str]]:
        """Returns the messages as OpenAI's interface has them. The last one is the beginning of the answer, if any."""
        answer = (("assistant", self.begun),) if self.begun else ()
        return [{"role": role, "content": text} for role, text in (*self.messages, *answer)]


def turns_of(prompt: Prompt, spelled: Spelled) -> Turns | None:
    """Returns the conversation of a prompt that was rendered with ``PLAIN``, or None for another prompt. Special tokens
    that texts of the user spell are broken, because the server would recognise them."""
    turns: list[tuple[str, str]] = []
    for segment in prompt.segments:
        if isinstance(segment, Markup) and segment.text.startswith(TURN):
            turns.append((segment.text.removeprefix(TURN).strip(), ""))
        elif isinstance(segment, Text) and turns:
            role, text = turns[-1]
            turns[-1] = role, text + spelled.broken(segment.text)
        elif segment is not Special.BOS:  # the server puts it there
            return None
    return Turns(tuple(turns[:-1]), turns[-1][1]) if turns else None


class Echo:
    """Leaves out the beginning of an answer from its pieces if the server repeats it, as some do and some do not."""

    def __init__(self, begun: str) -> None:
        self._begun, self._held = begun, ""

    def new(self, text: str) -> str:
        """Returns what a piece adds to the answer. It is held back while it may be a repetition."""
        if not self._begun:
            return text
        self._held += text
        if self._begun.startswith(self._held):
            return ""
        begun, self._begun = self._begun, ""
        return self._held.removeprefix(begun)
