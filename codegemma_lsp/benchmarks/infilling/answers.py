"""The two ways to answer a task: the model's raw output, and what a user would be shown."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from pathlib import Path

from codegemma_lsp.benchmarks.infilling.arms import other_files
from codegemma_lsp.benchmarks.infilling.tasks import Task
from codegemma_lsp.completion import DocumentState, Query, complete
from codegemma_lsp.document import Document
from codegemma_lsp.engines.protocol import Engine, Request, Sampling, Usage
from codegemma_lsp.prompt import Budget, CursorContext, Layout, build_fim
from codegemma_lsp.settings import Settings


class Mode(StrEnum):
    """How a task is answered. ``RAW`` is what papers report, ``PREFIX`` is the same for a model that cannot infill, and
    ``PIPELINE`` is what users get."""

    RAW = "raw"
    PREFIX = "prefix-only"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Answer:
    """A text at the cursor that replaces ``overwrites`` characters after it.

    ``after`` is the text that the editor has there and the task has not, which is the end of the empty line that the
    cursor is on. ``ms`` is the time that a user waits. ``said`` is the model's text, and ``confidence`` its mean
    log-probability in nats per token.
    """

    text: str
    _: KW_ONLY
    overwrites: int = 0
    after: str = ""
    usage: Usage = field(default_factory=Usage)
    ms: float = 0.0
    reason: str = ""
    said: str = ""
    confidence: float = 0.0

    def net(self, task: Task) -> str:
        """Returns the text that the answer adds, without the end that it shares with what it overwrites."""
        return self.text.removesuffix(task.suffix[: self.overwrites]) if self.overwrites else self.text

    def applied(self, task: Task) -> str:
        """Returns the whole text with the answer in place."""
        return task.prefix + self.text + self.after + task.suffix[self.overwrites :]


def mode_for(engine: Engine, raw: bool) -> Mode:
    """Returns the mode for an engine. Raw output is an infill if the model can infill, or else a continuation of the
    prefix."""
    if not raw:
        return Mode.PIPELINE
    return Mode.RAW if engine.tokenizer.family.infills else Mode.PREFIX


async def answer(task: Task, engine: Engine, settings: Settings, mode: Mode) -> Answer:
    """Returns the answer to a task. Raises what ``Engine.generate`` raises."""
    if mode is Mode.PIPELINE:
        return await _suggested(task, engine, settings)
    return await _generated(task, engine, settings, mode)


async def _generated(task: Task, engine: Engine, settings: Settings, mode: Mode) -> Answer:
    """Returns the output up to the model's own end, or up to the end of the line if the task is one line."""
    began = time.perf_counter()

    def ends(text: str) -> bool:
        return task.one_line and "\n" in text.lstrip("\n")

    context_tokens = min(settings.context_tokens, engine.context_tokens)
    max_tokens = min(settings.max_tokens, context_tokens // 2)
    context = CursorContext(
        path=task.path,
        text=task.prefix + task.suffix,
        offset=len(task.prefix),
        other_files=other_files(task, engine, settings),
        repository=Path(task.folder).name,
    )
    # In vocabularies not made for infilling, pieces often begin with the newline that the cursor cuts off.
    heal, layout = (True, Layout.PSM) if mode is Mode.PREFIX else (settings.heal, settings.layout)
    budget = Budget(prompt=context_tokens - max_tokens, other_files=settings.other_files_tokens)
    prompt, _ = build_fim(context, layout, budget, engine.tokenizer, heal)
    sampling = Sampling(temperature=settings.temperature, seed=settings.seed)
    generation = await engine.generate(Request(prompt=prompt, max_tokens=max_tokens, sampling=sampling, on_text=ends))
    text = generation.text
    if ends(text):
        blanks = len(text) - len(text.lstrip("\n"))
        text = text[: text.index("\n", blanks) + task.whole_lines]
    ms = 1000 * (time.perf_counter() - began)
    return Answer(text, usage=generation.usage, ms=ms, said=generation.text, confidence=generation.mean_logprob())


async def _suggested(task: Task, engine: Engine, settings: Settings) -> Answer:
    """Returns what the pipeline shows for an explicit request. A task of whole lines is asked on an empty line, as in
    an editor."""
    began = time.perf_counter()
    after = "\n" if task.whole_lines else ""
    document = Document(
        uri=f"file:///{task.path or task.id}", text=task.prefix + after + task.suffix, language=task.language
    )
    query = Query(
        document=document,
        offset=len(task.prefix),
        path=task.path,
        explicit=True,
        other_files=other_files(task, engine, settings),
        repository=Path(task.folder).name,
    )
    outcome = await complete(query, DocumentState(), engine, settings)
    ms = 1000 * (time.perf_counter() - began)
    text, overwrites = "", 0
    if outcome.suggestion is not None:
        text, overwrites = outcome.suggestion.text, outcome.suggestion.span.end - len(task.prefix)
    return Answer(
        text,
        overwrites=overwrites,
        after=after,
        usage=outcome.usage,
        ms=ms,
        reason=outcome.reason if outcome.suggestion is None else "",
        said=outcome.said,
        confidence=outcome.mean_logprob,
    )
