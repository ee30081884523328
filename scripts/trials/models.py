"""Model files as the server loads them, and what their errors must look like."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from codegemma_lsp import engines
from codegemma_lsp.engines.protocol import Engine, EngineError, Request
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import Prompt, Special, Text
from codegemma_lsp.settings import Settings
from scripts.trials.trial import check, shown

_SETTINGS = Settings(threads=1, context_tokens=512, slots=1)
_LOAD_S = 60.0
_LONGEST_SENTENCE = 1000


class Keeper:
    """A sound engine beside others in one process, which it keeps from ending with them."""

    def __init__(self, process: EngineProcess) -> None:
        self._process = process
        self._engine: Engine | None = None

    async def answers(self, how: str) -> None:
        """The sound engine answers, at the latest once it is loaded again, as the server would."""
        if self._engine is None:
            self._engine = await _load(self._process, model_path(BUNDLED))
        try:
            await _ask(self._engine)
        except EngineError as error:
            check_sentence(error, how)
            await asyncio.to_thread(self._engine.close)
            self._engine = await _load(self._process, model_path(BUNDLED))
            await _ask(self._engine)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


async def check_model(process: EngineProcess, path: Path, how: str) -> None:
    """A model file becomes an engine that answers, or a sentence, in time. Raises ``Failed``."""
    given_up = threading.Event()
    loading = asyncio.create_task(_load(process, path, given_up))
    done, _ = await asyncio.wait([loading], timeout=_LOAD_S)
    given_up.set()
    check(bool(done), f"{how}: it still loads after {_LOAD_S:.0f} seconds")
    try:
        engine = loading.result()
    except EngineError as error:
        check_sentence(error, how)
        return
    try:
        async with asyncio.timeout(_LOAD_S):
            await _ask(engine)
    except EngineError as error:
        check_sentence(error, how)
    finally:
        await asyncio.to_thread(engine.close)


def check_sentence(error: Exception, how: str) -> None:
    """An error is one sentence. Raises ``Failed``."""
    said = str(error)
    is_sentence = said.endswith(".") and "\n" not in said and "Traceback" not in said and len(said) < _LONGEST_SENTENCE
    check(is_sentence, f"{how}: what is said is no sentence: {shown(said)}")


async def _load(process: EngineProcess, path: Path, given_up: threading.Event | None = None) -> Engine:
    settings = _SETTINGS.model_copy(update={"model": str(path)})
    is_given_up = given_up or threading.Event()
    return await asyncio.to_thread(engines.load, settings, lambda _: not is_given_up.is_set(), process=process)


async def _ask(engine: Engine) -> None:
    tokens = len(engine.tokenizer.encode("x = ")) + 1
    prompt = Prompt(segments=(Special.BOS, Text("x = ", "")), tokens=tokens)
    await engine.generate(Request(prompt=prompt, max_tokens=4))
