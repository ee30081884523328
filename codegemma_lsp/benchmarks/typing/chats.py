"""Measures how a chat slows completions down, and how much drafts speed up an edit."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp import engines
from codegemma_lsp.benchmarks.typing.replay import Record
from codegemma_lsp.benchmarks.typing.run import OnProgress, as_options, beside
from codegemma_lsp.benchmarks.typing.server import CodegemmaServer
from codegemma_lsp.benchmarks.typing.sessions import PACKAGE, Rhythm, Session
from codegemma_lsp.benchmarks.typing.summary import summarize
from codegemma_lsp.chat import Action, ChatContext, Project, RequestRefused, Target, propose
from codegemma_lsp.document import Document, Span
from codegemma_lsp.engines.backends.llama_quantize import as_bfloat16
from codegemma_lsp.engines.protocol import Engine
from codegemma_lsp.engines.selection import select_chat
from codegemma_lsp.settings import Settings

_ALONE, _BESIDE_CHAT = "alone", "beside a chat"
_QUESTION = "Tell a long story about a compiler, with many details."
_COPIED = (
    ("engines/slots.py", "def pick", "Rename the variable best to chosen."),
    ("document.py", "def with_edit", "Rename the variable above to later."),
    ("document.py", "def offset", "Rename the variable units to count."),
)
"""Functions of this package, and edits that leave most of their code unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chats:
    """The 95th percentile of the milliseconds from a key to its answer, alone and beside a chat that never stops.

    ``chat_tokens`` counts the tokens of that chat. ``edits`` has results for the model as it is and as bfloat16.
    """

    alone_p95_ms: float
    beside_p95_ms: float
    chat_tokens: int
    edits: dict[str, Drafted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """Edits decoded without and with drafts: the speedup, the tokens, the share of them that had been guessed, and the
    number of edits with equal text."""

    speedup: float
    completion_tokens: int
    guessed_share: float
    equal: int
    edits: int


class ChattingServer(CodegemmaServer):
    """The server with a chat that continues while a session is played."""

    def __init__(self, name: str, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(name, settings, environment=environment)
        self._chat: asyncio.Task[None] | None = None
        self._talking = ""
        """The id of the running chat request, or "" if no other one must follow."""
        self.chat_tokens = 0

    async def open(self, document: Document, record: Record) -> None:
        began = asyncio.Event()
        self._client.protocol.fm.features["$/progress"] = lambda _: began.set()
        self._talking = "first"
        self._chat = asyncio.create_task(self._talk())
        async with asyncio.timeout(120):
            await began.wait()
        await super().open(document, record)

    async def _talk(self) -> None:
        number = 0
        while self._talking:
            number += 1
            self._talking = f"chat-{number}-{time.perf_counter_ns()}"
            params = {"text": f"{_QUESTION} It is the {number}.", "partialResultToken": self._talking}
            with suppress(JsonRpcException):  # after it is cancelled
                await self._client.protocol.send_request_async("codegemma/chat", params, msg_id=self._talking)

    async def close(self) -> None:
        await super().close()
        request, self._talking = self._talking, ""
        self._client.cancel_request(types.CancelParams(request))
        if self._chat is not None:
            await self._chat
        while not (state := await self._state()).chat.idle:
            await asyncio.sleep(0.02)
        self.chat_tokens = state.chat.usage.completion_tokens


async def measure(settings: Settings, played: Sequence[Session], on_progress: OnProgress) -> Chats:
    """Returns the figures of chat and edits. Raises ``ModelNotFound`` if there is no chat model."""
    select_chat(settings)
    talking = ChattingServer(_BESIDE_CHAT, as_options(settings))
    measured = await beside(
        [CodegemmaServer(_ALONE, as_options(settings)), talking], played, Rhythm.PERSON, on_progress
    )
    alone, with_chat = (summarize(measured[name]).p95_ms or 0.0 for name in (_ALONE, _BESIDE_CHAT))
    on_progress("edits, with drafts and without")
    return Chats(
        alone_p95_ms=alone, beside_p95_ms=with_chat, chat_tokens=talking.chat_tokens, edits=await _edits(settings)
    )


async def _edits(settings: Settings) -> dict[str, Drafted]:
    chosen = select_chat(settings).settings
    found = {"as it is": await _drafted(chosen)}
    if chosen.model.endswith(".gguf"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bfloat16.gguf"
            await asyncio.to_thread(as_bfloat16, Path(chosen.model), path)
            found["bfloat16"] = await _drafted(chosen.model_copy(update={"model": str(path)}))
    return found


async def _drafted(chosen: Settings) -> Drafted:
    engine = await asyncio.to_thread(engines.load, chosen)
    try:
        pairs = [(await _edit(engine, chosen, n, 0), await _edit(engine, chosen, n, chosen.drafts)) for n in _twice()]
    finally:
        engine.close()
    plain, drafted = zip(*pairs, strict=True)
    return Drafted(
        speedup=median(before.ms / after.ms for before, after in pairs),
        completion_tokens=sum(one.completion_tokens for one in drafted),
        guessed_share=sum(one.accepted for one in drafted) / max(1, sum(one.completion_tokens for one in drafted)),
        equal=sum(before.text == after.text for before, after in pairs),
        edits=len(plain),
    )


def _twice() -> list[int]:
    return [*range(len(_COPIED)), *range(len(_COPIED))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    ms: float
    completion_tokens: int
    accepted: int
    text: str


async def _edit(engine: Engine, chosen: Settings, number: int, drafts: int) -> _Edit:
    """Makes one edit. Returns the time of decoding and the generated text, whether or not it could be offered."""
    name, function, instruction = _COPIED[number]
    text = (PACKAGE / name).read_text("utf-8")
    start = text.index(function)
    document = Document(uri=(PACKAGE / name).as_uri(), text=text, language="python", version=1)
    selection = Span(start, start + len(function))
    target = Target(document=document, selection=selection, path=name, instruction=instruction)
    settings = chosen.model_copy(update={"drafts": drafts})
    before, said = engine.usage, list[str]()
    with suppress(RequestRefused):
        chat = ChatContext(engine=engine, settings=settings, on_delta=said.append)
        await propose(chat, Action.EDIT, target, Project(PACKAGE, lambda _: None))
    after = engine.usage
    completion_tokens, right = (
        after.completion_tokens - before.completion_tokens,
        after.accepted_draft_tokens - before.accepted_draft_tokens,
    )
    return _Edit(
        ms=after.decode_ms - before.decode_ms, completion_tokens=completion_tokens, accepted=right, text="".join(said)
    )
