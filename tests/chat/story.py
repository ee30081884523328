"""A document with a cursor or a selection, what the chat model answers, and the edit that is offered.

Each answer is scripted, all the rest is real. The snapshot is the document once the edit is accepted, with what changes
between ``⟦`` and ``⟧``, or the sentence with which it is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codegemma_lsp.chat import Action, ChatContext, OnDelta, Project, Proposal, RequestRefused, Target, propose
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.settings import Settings
from tests.marks import selection, with_edits
from tests.scripted import ScriptedEngine

SETTINGS = Settings(chat_max_tokens=4096, chat_context_tokens=65_536)


def chatting(engine: ScriptedEngine, on_delta: OnDelta = lambda _: None) -> ChatContext:
    return ChatContext(engine=engine, settings=SETTINGS, on_delta=on_delta)


@dataclass(frozen=True)
class Story:
    """A document with its cursor or selection; ``existing`` is the file that tests are added to, if there is one."""

    marked: str
    language: str
    newline: str = "\n"
    existing: Document | None = None

    def target(self, still: Callable[[], bool] = lambda: True) -> Target:
        text, selected = selection(self.marked.replace("\n", self.newline))
        document = Document(uri=f"file:///project/shop/a.{self.language}", text=text, language=self.language, version=3)
        return Target(
            document=document, selection=selected, path=f"shop/a.{self.language}", instruction="shorten", still=still
        )

    def proposal(self, action: Action, answer: str, finish: Finish = Finish.STOP_TOKEN) -> Proposal:
        """The edit, where the model answers ``answer``; raises ``RequestRefused``."""
        project = Project(Path("/project"), lambda _: self.existing)
        engine = ScriptedEngine(answer, finish=finish)
        return asyncio.run(propose(chatting(engine), action, self.target(), project))

    def edited_by(self, answer: str, finish: Finish = Finish.STOP_TOKEN) -> str:
        return self._shown(Action.EDIT, answer, finish)

    def documented_by(self, answer: str) -> str:
        return self._shown(Action.DOCUMENT, answer, Finish.STOP_TOKEN)

    def _shown(self, action: Action, answer: str, finish: Finish) -> str:
        try:
            proposal = self.proposal(action, answer, finish)
        except RequestRefused as refused:
            return f"refused: {refused}"
        shown = with_edits(proposal.document.text, proposal.edits)
        assert shown.replace("⟦", "").replace("⟧", "") == proposal.after
        return shown


go, javascript, plaintext, python, rust = (
    partial(Story, language=name) for name in ("go", "javascript", "plaintext", "python", "rust")
)
