"""A document with a cursor, what the model says there, and what the user sees: the form of the tests in this folder.

Each answer is scripted, all the rest is real. A test gives the document with its ``<CURSOR>``, then the model's answer;
the snapshot is the document once the suggestion is accepted, with the suggestion between ``⟦`` and ``⟧``, or the reason
why there is none. What the suggestion overwrites is gone from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from codegemma_lsp.completion import DocumentState, Outcome, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Finish
from codegemma_lsp.settings import Settings
from tests.marks import at_cursor, replaced
from tests.scripted import ScriptedEngine

METHODS = {
    "python": ("class A:\n", "    def m@(self, x):\n        return x + @\n\n", ""),
    "javascript": ("class A {\n", "  m@(x) {\n    return x + @;\n  }\n\n", "}\n"),
    "php": ("<?php\nclass A {\n", "    public function m@($x) {\n        return $x;\n    }\n\n", "}\n"),
    "shellscript": ("", "m@() {\n  local x=@\n  echo $x\n}\n\n", ""),
}


@dataclass(frozen=True)
class Story:
    """A document with its cursor. ``above`` stands above it and is not shown."""

    marked: str
    language: str
    above: str = ""

    def below_many_methods(self) -> Story:
        """The same, at the end of a file so long that only an excerpt of it is parsed."""
        head, method, tail = METHODS[self.language]
        methods = "".join(method.replace("@", str(number)) for number in range(100))
        return Story(self.marked, self.language, f"{head}{methods}{tail}\n")

    async def outcome(self, said: str, finish: Finish = Finish.STOP_TOKEN, **settings: Any) -> Outcome:
        """The outcome where the model says ``said``."""
        text, offset = at_cursor(self.above + self.marked)
        query = Query(document=Document(uri="file:///a", text=text, language=self.language), offset=offset, path="a")
        engine = ScriptedEngine(said, finish=finish)
        return await complete(query, DocumentState(), engine, Settings.model_validate(settings))

    async def completed_by(self, said: str, finish: Finish = Finish.STOP_TOKEN, **settings: Any) -> str:
        """What the user sees where the model says ``said``."""
        text, _ = at_cursor(self.above + self.marked)
        shown = seen(text, await self.outcome(said, finish, **settings))
        return shown.removeprefix(self.above)


class Typing:
    """A document of Python that is typed into, and a model that always says the same; ``asked`` counts how often."""

    def __init__(self, said: str, logprob: float = -0.1, **settings: Any) -> None:
        self.engine = ScriptedEngine(said, logprob=logprob)
        self.state, self.settings = DocumentState(), Settings.model_validate(settings)

    @property
    def asked(self) -> int:
        return len(self.engine.requests)

    async def outcome(self, marked: str, **more: Any) -> Outcome:
        """The outcome where the document is now ``marked``; ``more`` goes to the query."""
        text, offset = at_cursor(marked)
        query = Query(document=Document(uri="file:///a", text=text, language="python"), offset=offset, path="a", **more)
        return await complete(query, self.state, self.engine, self.settings)

    async def sees(self, marked: str, **more: Any) -> str:
        """What the user sees then."""
        return seen(at_cursor(marked)[0], await self.outcome(marked, **more))


def seen(text: str, outcome: Outcome) -> str:
    """The text with the suggestion in place, or why there is none."""
    if outcome.suggestion is None:
        assert outcome.reason
        return f"no suggestion: {outcome.reason}"
    assert not outcome.reason
    return replaced(text, outcome.suggestion.span, outcome.suggestion.text)


c, cpp, csharp, go, html, java, javascript, kotlin, php, python, ruby, rust, shellscript, typescript = (
    partial(Story, language=name)
    for name in (
        *("c", "cpp", "csharp", "go", "html", "java", "javascript", "kotlin", "php", "python", "ruby", "rust"),
        *("shellscript", "typescript"),
    )
)
