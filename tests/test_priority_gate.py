"""Engines that share a machine: chat waits for completions in the midst of its work, work ahead gives way to chat."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.priority_gate import PriorityGate
from codegemma_lsp.engines.protocol import Finish, Options, Priority, Request
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import Prompt, Special, Text

PROMPT = Prompt(segments=(Special.BOS, Text("def f():\n" * 200, "")), tokens=1801)


@pytest.fixture
def gate() -> PriorityGate:
    return PriorityGate()


@pytest.fixture
def talker(gate: PriorityGate) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, context_tokens=4096), gate=gate)
    yield engine
    engine.close()


async def test_chat_waits_while_a_completion_runs_elsewhere_and_then_goes_on(
    gate: PriorityGate, talker: LlamaEngine
) -> None:
    said: list[str] = []

    def on_text(text: str) -> bool:
        said.append(text)
        return False

    with gate.running("elsewhere", Priority.COMPLETION):
        running = asyncio.create_task(
            talker.generate(Request(prompt=PROMPT, max_tokens=30, priority=Priority.CHAT, on_text=on_text))
        )
        await asyncio.sleep(0.4)
        assert not said
        assert not running.done()
        # What is as urgent does not wait, nor what runs on the engine itself.
        assert not gate.comes_after("elsewhere", Priority.CHAT)
    generation = await asyncio.wait_for(running, 30)
    assert generation.usage.completion_tokens == len(generation.logprobs) + (generation.finish is Finish.STOP_TOKEN)
    alone = await talker.generate(Request(prompt=PROMPT, max_tokens=30, priority=Priority.CHAT))
    assert alone.text == generation.text


async def test_a_chat_that_waits_can_be_cancelled_and_closed(gate: PriorityGate, talker: LlamaEngine) -> None:
    with gate.running("elsewhere", Priority.COMPLETION):
        running = asyncio.create_task(talker.generate(Request(prompt=PROMPT, max_tokens=30, priority=Priority.CHAT)))
        await asyncio.sleep(0.1)
        running.cancel()
        async with asyncio.timeout(5):
            while not talker.idle:
                await asyncio.sleep(0.01)
        again = asyncio.create_task(talker.generate(Request(prompt=PROMPT, max_tokens=30, priority=Priority.CHAT)))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(asyncio.to_thread(talker.close), 5)
        assert isinstance((await asyncio.gather(again, return_exceptions=True))[0], Exception)


async def test_work_ahead_gives_way_to_chat_elsewhere(gate: PriorityGate, talker: LlamaEngine) -> None:
    with gate.running("elsewhere", Priority.CHAT):
        assert (
            await talker.generate(Request(prompt=PROMPT, max_tokens=5, priority=Priority.PREFETCH))
        ).finish is Finish.CANCELLED
        assert (await talker.generate(Request(prompt=PROMPT, max_tokens=5))).usage.completion_tokens == 5
    assert (
        await talker.generate(Request(prompt=PROMPT, max_tokens=5, priority=Priority.PREFETCH))
    ).usage.completion_tokens == 5


def test_waiting_ends_with_the_last_that_is_more_urgent(gate: PriorityGate) -> None:
    ended: list[float] = []

    def wait() -> None:
        gate.wait("me", Priority.CHAT, lambda: False)
        ended.append(time.perf_counter())

    with gate.running("a", Priority.COMPLETION), gate.running("me", Priority.CHAT):
        with gate.running("b", Priority.COMPLETION):
            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(0.1)
        time.sleep(0.1)
        assert not ended
    thread.join(5)
    assert ended
