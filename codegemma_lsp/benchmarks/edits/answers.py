"""The two ways to answer a task: what a user is offered, and the model's own answer to the code and the words."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from codegemma_lsp.benchmarks.edits.judging import Given
from codegemma_lsp.benchmarks.edits.tasks import Kind, Task
from codegemma_lsp.chat import (
    Action,
    ChatContext,
    Conversation,
    Project,
    Reference,
    RequestRefused,
    Target,
    ask,
    fenced,
    parse_command,
    plain_answer,
    propose,
)
from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.protocol import Engine, Generation, Request, Usage, total
from codegemma_lsp.prompt import Prompt, Tokenizer
from codegemma_lsp.settings import Settings

_BLOCK = re.compile(r"^[ \t]*(`{3,})[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)


class Mode(StrEnum):
    """How a task is answered. ``OFFERED`` is what users get, and ``RAW`` is the last code block of the model's answer,
    taken whole, where the plain chat template shows it the code and the words."""

    OFFERED = "offered"
    RAW = "raw"


class ListeningEngine:
    """An engine that keeps what it was asked and what it said since ``forget``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.forget()

    def forget(self) -> None:
        self.prompts, self.generations = list[str](), list[Generation]()

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def context_tokens(self) -> int:
        return self._engine.context_tokens

    @property
    def tokenizer(self) -> Tokenizer:
        return self._engine.tokenizer

    @property
    def usage(self) -> Usage:
        return self._engine.usage

    @property
    def threads(self) -> int:
        return self._engine.threads

    @property
    def chat_template(self) -> str:
        return self._engine.chat_template

    @property
    def prefill_speed(self) -> float:
        return self._engine.prefill_speed

    @property
    def idle(self) -> bool:
        return self._engine.idle

    def unread(self, prompt: Prompt) -> int:
        return self._engine.unread(prompt)

    async def generate(self, request: Request) -> Generation:
        self.prompts.append("".join(getattr(segment, "text", "") for segment in request.prompt.segments))
        self.generations.append(await self._engine.generate(request))
        return self.generations[-1]

    def close(self) -> None:
        self._engine.close()


async def answer(task: Task, engine: ListeningEngine, settings: Settings, mode: Mode) -> Given:
    """Returns the answer to a task. Raises what ``Engine.generate`` raises."""
    engine.forget()
    chat = ChatContext(engine=engine, settings=settings, on_delta=lambda _: None)
    began = time.perf_counter()
    reason = text = ""
    try:
        text = await (_raw if mode is Mode.RAW else _WAYS.get(task.kind, _offered))(chat, task)
    except RequestRefused as refused:
        reason = str(refused)
    return Given(
        text=text,
        reason=reason,
        prompt="\n".join(engine.prompts),
        said="\n".join(one.text for one in engine.generations),
        usage=total(one.usage for one in engine.generations),
        ms=1000 * (time.perf_counter() - began),
    )


async def _offered(chat: ChatContext, task: Task) -> str:
    return await _proposed(chat, task, Project(Path("/project"), lambda _: None))


async def _proposed(chat: ChatContext, task: Task, project: Project) -> str:
    """Returns the text of the changed file. A slash command is read as the command line reads it."""
    action, words = parse_command(task.command)
    document = Document(uri=(project.root / task.path).as_uri(), text=task.text, language=task.language)
    target = Target(document=document, selection=Span(*task.selection), path=task.path, instruction=words)
    return (await propose(chat, action or Action.EDIT, target, project)).after


async def _tested(chat: ChatContext, task: Task) -> str:
    """Returns the text of the test file for a file of a package on disk."""
    with tempfile.TemporaryDirectory(prefix="codegemma-eval-") as folder:
        root = await asyncio.to_thread(_package, Path(folder), task)
        return await _proposed(chat, task, Project(root, lambda _: None))


def _package(folder: Path, task: Task) -> Path:
    """Writes a package with a task's file, and returns the folder without links in its path."""
    source = folder / task.path
    source.parent.mkdir(parents=True)
    source.with_name("__init__.py").touch()
    source.write_text(task.text, "utf-8")
    (folder / "tests").mkdir()
    return folder.resolve()


async def _asked(chat: ChatContext, task: Task) -> str:
    reference = Reference(path=task.path, text=task.text, language=task.language)
    return (await ask(chat, Conversation(), task.command, [reference])).text


_WAYS: dict[Kind, Callable[[ChatContext, Task], Awaitable[str]]] = {Kind.TESTS: _tested, Kind.QUESTION: _asked}


async def _raw(chat: ChatContext, task: Task) -> str:
    """Returns the text after the model's own answer has taken the place of the code."""
    start, end = task.region
    shown = task.text[start:end] if start < end else task.text
    said = await plain_answer(chat, f"{fenced(shown, task.language)}\n\n{task.plain}")
    if task.kind is Kind.QUESTION:
        return said
    code = last_block(said)
    if not code.strip() or task.kind is Kind.TESTS:
        return code
    return task.text[:start] + code + task.text[end:]


def last_block(answer: str) -> str:
    """Returns the code in the last code block of an answer, or "" if there is none."""
    blocks = [match[2].rstrip("\n") for match in _BLOCK.finditer(answer)]
    return blocks[-1] if blocks else ""
