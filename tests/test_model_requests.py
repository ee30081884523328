"""``codegemma/models``, ``codegemma/useModel`` and ``codegemma/pullModel``, over stdio and with a hub that is none."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp.models import BUNDLED, CATALOGUE, model_path
from tests.client import REQUEST_CANCELLED, Client, serving
from tests.hub import CONTENT, REPO, Hub
from tests.hub import serving as hub_serving

WITH_TINY = """
import sys
from codegemma_lsp.cli import main
from codegemma_lsp.models.catalogue import CATALOGUE
from tests.test_pull import FROM_HUB, tiny
CATALOGUE["tiny"] = tiny(*FROM_HUB)
sys.argv = ["codegemma-lsp", "serve"]
main()
"""
COMMAND = (sys.executable, "-c", WITH_TINY)
TOKEN = "the-token"


class Watching(Client):
    """``steps`` are the values of the progress with ``TOKEN``."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Any] = []

    def on_progress(self, params: Any) -> None:
        if params.token == TOKEN:
            self.steps.append(params.value)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():
                await asyncio.sleep(0.01)

    async def pulls(self) -> None:
        """Waits for a step of the transfer that says how far it is."""
        await self.until(lambda: any(step["kind"] == "report" and step["percentage"] for step in self.steps))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one imported model, and a configuration file beside it that is not there yet."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine.gguf").hardlink_to(model_path(BUNDLED))
    monkeypatch.setenv("CODEGEMMA_MODELS", str(folder))
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "config.toml"))
    return folder


@pytest.fixture
def hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


async def ask(client: Client, method: str, **params: Any) -> Any:
    return await asyncio.wait_for(client.protocol.send_request_async(f"codegemma/{method}", params), 20)


async def failure(client: Client, method: str, **params: Any) -> str:
    with pytest.raises(JsonRpcException) as error:
        await ask(client, method, **params)
    assert error.value.code == types.LSPErrorCodes.RequestFailed.value
    return str(error.value.message)


async def listed(client: Client) -> dict[str, Any]:
    return {model.name: model for model in (await ask(client, "models")).models}


async def test_the_list_says_what_is_here_and_in_use(models: Path) -> None:
    async with serving() as client:
        found = await listed(client)
    assert set(found) == {*CATALOGUE, "mine"}
    nano, mine, other = found[BUNDLED], found["mine"], found["qwen2.5-coder-1.5b"]
    assert (nano.installed, nano.inUse, nano.usedFor, nano.fits) == (True, True, "completes", True)
    assert (mine.installed, mine.inUse, mine.use, mine.memory) == (True, False, "", 0)
    assert (other.installed, other.inUse, other.use) == (False, False, "completion and chat")
    assert (other.size, other.licence) == (CATALOGUE[other.name].size, "Apache-2.0")
    assert other.memory == CATALOGUE[other.name].memory_bytes(2048, 4)
    assert other.licencePage.startswith("https://")


async def test_a_model_that_is_chosen_is_loaded_and_kept(models: Path, tmp_path: Path) -> None:
    async with serving() as client:
        assert (await ask(client, "useModel", name="mine")).message == "mine is used for completion now."
        await client.ready("Ready with mine")
        assert (await listed(client))["mine"].usedFor == "completes"
        assert (tmp_path / "config.toml").read_text() == 'model = "mine"\n'
        chosen = await ask(client, "useModel", name="mine", chat=True)
        assert chosen.message == "mine is used for chat and edits now."
        assert (await listed(client))["mine"].usedFor == "completes, chats"
        assert (await ask(client, "useModel", name="auto")).message == "auto is used for completion now."
        assert (await listed(client))[BUNDLED].inUse
        assert (tmp_path / "config.toml").read_text() == 'chatModel = "mine"\n'


async def test_what_goes_before_the_choice_is_said(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEGEMMA_CHAT_MODEL", "gemma-2b-it")
    async with serving({"model": BUNDLED}) as client:
        said = [(await ask(client, "useModel", name="mine", chat=chat)).message for chat in (False, True)]
    assert said == [
        "mine is saved for completion, but this editor's setting model goes before it: nano.",
        "mine is saved for chat and edits, but the environment variable CODEGEMMA_CHAT_MODEL goes before it:"
        " gemma-2b-it.",
    ]


async def test_models_that_cannot_be_used(models: Path, tmp_path: Path) -> None:
    async with serving() as client:
        assert await failure(client, "useModel", name="codegema-2b") == (
            "There is no model codegema-2b; did you mean codegemma-2b?"
        )
        assert await failure(client, "useModel", name="codegemma-2b") == (
            "The model codegemma-2b is not on this machine; run: codegemma-lsp models pull codegemma-2b"
        )
        assert await failure(client, "useModel", name=BUNDLED, chat=True) == (
            "nano is not made for chat; choose another model for it."
        )
        with pytest.raises(JsonRpcException, match="The parameter name is wrong"):
            await ask(client, "useModel")
        assert not (tmp_path / "config.toml").exists()


async def test_a_file_that_cannot_be_written_is_a_sentence(models: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("model = \n")
    async with serving() as client:
        assert "is no TOML" in await failure(client, "useModel", name="mine")


async def test_a_pull_reports_how_far_it_is(hub: Hub, models: Path) -> None:
    hub.pause = 0.1
    async with serving(command=COMMAND, client=Watching()) as client:
        assert isinstance(client, Watching)
        path = (await ask(client, "pullModel", name="tiny", workDoneToken=TOKEN)).path
        assert (await ask(client, "pullModel", name="tiny")).path == path
        assert (await listed(client))["tiny"].installed
    assert path == str(models / "tiny.gguf")
    assert (models / "tiny.gguf").read_bytes() == CONTENT
    first, *between, last = client.steps
    assert (first["kind"], first["title"], first["percentage"]) == ("begin", "Downloading tiny", 0)
    assert last["kind"] == "end"
    shares = [step["percentage"] for step in between]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert between[-1]["message"] == f"1 of 1 MB, from {REPO}"


@pytest.mark.parametrize("how", ["request", "progress"])
async def test_a_pull_that_is_cancelled_ends_and_can_be_continued(hub: Hub, models: Path, how: str) -> None:
    hub.pause = 0.3
    async with serving(command=COMMAND, client=Watching()) as client:
        assert isinstance(client, Watching)
        params = {"name": "tiny", "workDoneToken": TOKEN}
        sent = client.protocol.send_request_async("codegemma/pullModel", params, msg_id="pull")
        request = asyncio.ensure_future(sent)
        await client.pulls()
        if how == "request":
            client.cancel_request(types.CancelParams(id="pull"))
        else:
            client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token=TOKEN))
        with pytest.raises(JsonRpcException) as error:
            await asyncio.wait_for(request, 5)
        assert error.value.code == REQUEST_CANCELLED
        await client.until(lambda: client.steps[-1]["kind"] == "end")
        assert not (models / "tiny.gguf").exists()
        hub.pause = 0
        await ask(client, "pullModel", name="tiny")
    assert (models / "tiny.gguf").read_bytes() == CONTENT
    assert hub.ranges()[-1] is not None  # it went on where it was cancelled


async def test_a_gated_model_says_how_to_get_it(hub: Hub, models: Path) -> None:
    hub.always = 401, {"X-Error-Code": "GatedRepo"}
    async with serving(command=COMMAND) as client:
        assert await failure(client, "pullModel", name="tiny") == (
            f"The model tiny could not be fetched: {REPO} is gated; accept its terms on https://huggingface.co/{REPO},"
            " log in with hf auth login or set HF_TOKEN, and run again: codegemma-lsp models pull tiny"
        )
        assert "did you mean tiny?" in await failure(client, "pullModel", name="tinny")


async def test_a_pull_does_not_keep_the_server_from_ending(hub: Hub, models: Path) -> None:
    hub.silence = 30
    async with serving(command=COMMAND, client=Watching()) as client:
        sent = client.protocol.send_request_async("codegemma/pullModel", {"name": "tiny"})
        request = asyncio.ensure_future(sent)
        await asyncio.to_thread(wait_for, lambda: any(method == "GET" for method, _, _ in hub.requests))
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert not (models / "tiny.gguf").exists()
    await asyncio.gather(request, return_exceptions=True)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert what()
