"""Engines that share a machine: chat waits for completions in the midst of its work, work ahead gives way to chat."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from codegemma_lsp.engines.base import Finish, Options, Priority, Request
from codegemma_lsp.engines.llama import LlamaEngine
from codegemma_lsp.engines.order import Order
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import Prompt, Special, Text

PROMPT = Prompt((Special.BOS, Text("def f():\n" * 200, "")), 1801)


@pytest.fixture
def order() -> Order:
    return Order()


@pytest.fixture
def talker(order: Order) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(model_path(BUNDLED), Options(threads=1, context_tokens=4096), order=order)
    yield engine
    engine.close()


async def test_chat_waits_while_a_completion_runs_elsewhere_and_then_goes_on(order: Order, talker: LlamaEngine) -> None:
    said: list[str] = []

    def on_text(text: str) -> bool:
        said.append(text)
        return False

    with order.running("elsewhere", Priority.COMPLETION):
        running = asyncio.create_task(talker.generate(Request(PROMPT, 30, priority=Priority.CHAT, on_text=on_text)))
        await asyncio.sleep(0.4)
        assert not said
        assert not running.done()
        # What is as urgent does not wait, nor what runs on the engine itself.
        assert not order.comes_after("elsewhere", Priority.CHAT)
    generation = await asyncio.wait_for(running, 30)
    assert generation.usage.generated == len(generation.logprobs) + (generation.finish is Finish.STOP_TOKEN)
    alone = await talker.generate(Request(PROMPT, 30, priority=Priority.CHAT))
    assert alone.text == generation.text


async def test_a_chat_that_waits_can_be_cancelled_and_closed(order: Order, talker: LlamaEngine) -> None:
    with order.running("elsewhere", Priority.COMPLETION):
        running = asyncio.create_task(talker.generate(Request(PROMPT, 30, priority=Priority.CHAT)))
        await asyncio.sleep(0.1)
        running.cancel()
        async with asyncio.timeout(5):
            while not talker.idle:
                await asyncio.sleep(0.01)
        again = asyncio.create_task(talker.generate(Request(PROMPT, 30, priority=Priority.CHAT)))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(asyncio.to_thread(talker.close), 5)
        assert isinstance((await asyncio.gather(again, return_exceptions=True))[0], Exception)


async def test_work_ahead_gives_way_to_chat_elsewhere(order: Order, talker: LlamaEngine) -> None:
    with order.running("elsewhere", Priority.CHAT):
        assert (await talker.generate(Request(PROMPT, 5, priority=Priority.PREFETCH))).finish is Finish.CANCELLED
        assert (await talker.generate(Request(PROMPT, 5))).usage.generated == 5
    assert (await talker.generate(Request(PROMPT, 5, priority=Priority.PREFETCH))).usage.generated == 5


def test_waiting_ends_with_the_last_that_is_more_urgent(order: Order) -> None:
    ended: list[float] = []

    def wait() -> None:
        order.wait("me", Priority.CHAT, lambda: False)
        ended.append(time.perf_counter())

    with order.running("a", Priority.COMPLETION), order.running("me", Priority.CHAT):
        with order.running("b", Priority.COMPLETION):
            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(0.1)
        time.sleep(0.1)
        assert not ended
    thread.join(5)
    assert ended
