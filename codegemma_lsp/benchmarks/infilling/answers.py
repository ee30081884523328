"""The two ways to answer a task: the model's output as it comes, and what a user would be shown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine, Request, Sampling, Usage
from codegemma_lsp.prompt import Budget, CursorContext, Layout, build_fim
from codegemma_lsp.settings import Settings


class Mode(StrEnum):
    """``RAW`` is what papers report; ``PREFIX`` the same of a model that cannot infill; ``PIPELINE`` what users get."""

    RAW = "raw"
    PREFIX = "prefix-only"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Answer:
    """A text to put at the cursor, over ``overwrites`` characters after it; ``after`` is what an editor has there
    that the task has not (the end of the empty line that the cursor is on). Milliseconds as a user waits. ``said`` is
    what the model wrote, ``confidence`` its mean log-probability (nats a token)."""

    text: str
    overwrites: int = 0
    after: str = ""
    usage: Usage = field(default_factory=Usage)
    ms: float = 0.0
    reason: str = ""
    said: str = ""
    confidence: float = 0.0

    def net(self, task: Task) -> str:
        """What it adds: without the end that it repeats of what it overwrites."""
        return self.text.removesuffix(task.suffix[: self.overwrites]) if self.overwrites else self.text

    def applied(self, task: Task) -> str:
        """The whole text once it is accepted."""
        return task.prefix + self.text + self.after + task.suffix[self.overwrites :]


def mode_for(engine: Engine, raw: bool) -> Mode:
    """How an engine is asked: raw, it fills in where it can, else it goes on from the prefix."""
    if not raw:
        return Mode.PIPELINE
    return Mode.RAW if engine.tokenizer.family.infills else Mode.PREFIX


async def answer(task: Task, engine: Engine, settings: Settings, mode: Mode) -> Answer:
    """Raises what ``Engine.generate`` raises."""
    if mode is Mode.PIPELINE:
        return await _suggested(task, engine, settings)
    return await _generated(task, engine, settings, mode)


async def _generated(task: Task, engine: Engine, settings: Settings, mode: Mode) -> Answer:
    """The output up to the model's own end, or to the end of the line where a line is asked for."""
    began = time.perf_counter()

    def ends(text: str) -> bool:
        return task.one_line and "\n" in text.lstrip("\n")

    room = min(settings.context_tokens, engine.context_tokens)
    most = min(settings.max_tokens, room // 2)
    room -= most
    context = CursorContext(
        task.path,
        task.prefix + task.suffix,
        len(task.prefix),
        other_files=task.other_files,
        repository=task.repository,
    )
    # Pieces of vocabularies that were not made for infilling often begin with the newline that the cursor cuts off.
    heal, layout = (True, Layout.PSM) if mode is Mode.PREFIX else (settings.heal, settings.layout)
    prompt, _ = build_fim(context, layout, Budget(room), engine.tokenizer, heal)
    sampling = Sampling(settings.temperature, seed=settings.seed)
    generation = await engine.generate(Request(prompt, most, sampling, on_text=ends))
    text = generation.text
    if ends(text):
        blanks = len(text) - len(text.lstrip("\n"))
        text = text[: text.index("\n", blanks) + task.whole_lines]
    ms = 1000 * (time.perf_counter() - began)
    return Answer(text, usage=generation.usage, ms=ms, said=generation.text, confidence=generation.mean_logprob())


async def _suggested(task: Task, engine: Engine, settings: Settings) -> Answer:
    """What the pipeline shows when it is asked. Whole lines are asked for on an empty line, as in an editor."""
    began = time.perf_counter()
    after = "\n" if task.whole_lines else ""
    document = Document(f"file:///{task.path or task.id}", task.prefix + after + task.suffix, task.language)
    query = Query(
        document, len(task.prefix), task.path, explicit=True, other_files=task.other_files, repository=task.repository
    )
    outcome = await complete(query, DocumentState(), engine, settings)
    ms = 1000 * (time.perf_counter() - began)
    if outcome.suggestion is None:
        return Answer("", 0, after, outcome.usage, ms, outcome.reason, outcome.said, outcome.mean_logprob)
    text, overwrites = outcome.suggestion.text, outcome.suggestion.span.end - len(task.prefix)
    return Answer(text, overwrites, after, outcome.usage, ms, "", outcome.said, outcome.mean_logprob)
