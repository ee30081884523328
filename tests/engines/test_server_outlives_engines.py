"""The server when the process of its engines ends: at most one suggestion is lost, and nothing that was typed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from codegemma_lsp.models import BUNDLED, model_path
from tests.client import Client, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")
SOURCE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret"
OPTIONS = {"model": BUNDLED, "threads": 1, "minConfidence": -99}


def engines_of(client: Client) -> list[psutil.Process]:
    server = psutil.Process(client._server.pid)  # type: ignore[union-attr]
    return [child for child in server.children() if "codegemma_lsp.engines.worker.process" in child.cmdline()]


async def began_again(client: Client, before: int) -> None:
    """Waits until the server is ready once more, after ``before`` statuses."""
    async with asyncio.timeout(60):
        while not any(status.message.startswith("Ready") for status in client.statuses[before:]):
            await asyncio.sleep(0.01)


async def test_killed_again_and_again_it_answers_again_and_again() -> None:
    async with serving(OPTIONS) as client:
        client.open(SOURCE)
        for number in range(5):
            (engines,) = engines_of(client)
            seen = len(client.statuses)
            asked = client.request(client.position(len(client.document.text)), f"lost-{number}", explicit=True)
            engines.kill()
            await asyncio.wait([asked])
            asked.exception()
            client.type(len(client.document.text), "u")
            await began_again(client, seen)
            client.type(len(client.document.text), "r")
            assert await client.complete(len(client.document.text), explicit=True) is not None
        state = await client.protocol.send_request_async("codegemma/state", {})
        assert engines_of(client)
        assert [document.version for document in state.documents] == [client.document.version]


async def test_what_killed_it_is_said_in_a_sentence() -> None:
    async with serving(OPTIONS) as client:
        (engines,) = engines_of(client)
        client.open(SOURCE)
        seen = len(client.statuses)
        asked = client.request(client.position(len(SOURCE)), "lost", explicit=True)
        await asyncio.sleep(0.05)
        engines.send_signal(signal.SIGABRT)
        await asyncio.wait([asked])
        asked.exception()
        await began_again(client, seen)
        said = [status.message for status in client.statuses[seen:]]
        assert not any("Traceback" in message for message in said)


async def test_a_model_that_was_cut_is_given_up_until_it_is_whole(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(model_path(BUNDLED).read_bytes())
    async with serving({**OPTIONS, "model": str(model)}) as client:
        client.open(SOURCE)
        os.truncate(model, 20_000)
        asked = client.request(client.position(len(SOURCE)), "lost", explicit=True)
        await asyncio.wait([asked])
        asked.exception()
        async with asyncio.timeout(60):
            while not any(status.kind == "Error" for status in client.statuses):
                await asyncio.sleep(0.01)
        message = next(status.message for status in client.statuses if status.kind == "Error")
        assert "download it again" in message
        seen = len(client.statuses)
        model.write_bytes(model_path(BUNDLED).read_bytes())
        await began_again(client, seen)
        client.type(len(SOURCE), "u")
        assert await client.complete(len(client.document.text), explicit=True) is not None


async def test_it_leaves_nothing_behind() -> None:
    async with serving(OPTIONS) as client:
        (engines,) = engines_of(client)
    assert not engines.is_running()
