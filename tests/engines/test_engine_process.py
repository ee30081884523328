"""Engines in a process of their own: they answer as engines in this one do, and nothing that ends the process ends more
than that."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from codegemma_lsp import engines
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.protocol import (
    Engine,
    EngineError,
    EngineFailed,
    LoadCancelled,
    ModelNotFound,
    ModelUnusable,
    Options,
    Priority,
    Progress,
    PromptTooLong,
    Request,
    Sampling,
)
from codegemma_lsp.engines.worker import client, frames
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import Prompt, Special, Text
from codegemma_lsp.settings import Settings
from tests.scripted import noted

MODEL = model_path(BUNDLED)
SETTINGS = Settings(model=str(MODEL), threads=1, context_tokens=1024, slots=2)
SOURCE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret"


def load(process: EngineProcess, path: Path = MODEL) -> Engine:
    return engines.load(SETTINGS.model_copy(update={"model": str(path)}), process=process)


@pytest.fixture(scope="module")
def process() -> EngineProcess:
    return EngineProcess()


@pytest.fixture(scope="module")
def far(process: EngineProcess) -> Iterator[Engine]:
    engine = load(process)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def near() -> Iterator[LlamaEngine]:
    engine = LlamaEngine(MODEL, Options(threads=1, context_tokens=1024, slots=2))
    yield engine
    engine.close()


def prompt(engine: Engine, text: str = SOURCE, forced: bytes = b"") -> Prompt:
    count = len(engine.tokenizer.encode(text)) + 1
    return Prompt(segments=(Special.BOS, Text(text, "the file")), tokens=count, forced_prefix=forced)


@pytest.mark.parametrize(
    ("forced", "more"),
    [
        pytest.param(b"", {}, id="greedy"),
        pytest.param(b"urn", {}, id="healed"),
        pytest.param(b"", {"sampling": Sampling(temperature=0.8, seed=3)}, id="sampled"),
        pytest.param(b"", {"drafts": 6, "hint": "urn a - b\n"}, id="with drafts"),
        pytest.param(b"", {"max_tokens": 0}, id="read only"),
    ],
)
async def test_it_answers_as_an_engine_in_this_process_does(
    near: LlamaEngine, far: Engine, forced: bytes, more: dict[str, object]
) -> None:
    seen: dict[str, list[str]] = {}

    answers = {}
    for name, engine in (("near", near), ("far", far)):
        asked = {"max_tokens": 24, "on_text": noted(seen.setdefault(name, []), 40), "given_up": lambda: False, **more}
        answers[name] = await engine.generate(Request(prompt=prompt(engine, forced=forced), **asked))  # type: ignore[arg-type]
    near_, far_ = answers["near"], answers["far"]
    assert (far_.text, far_.finish, far_.ends) == (near_.text, near_.finish, near_.ends)
    assert far_.logprobs == pytest.approx(near_.logprobs, abs=1e-4)
    assert seen["far"] == seen["near"]
    assert far_.usage.completion_tokens == near_.usage.completion_tokens


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SOURCE, id="source"),
        pytest.param("", id="nothing"),
        pytest.param("\r\n\t\u2028 \U0001f600 <|fim_prefix|>\n", id="what looks special"),
        pytest.param("half a pair: \ud83d.\n", id="half a surrogate pair"),
        pytest.param("x = 1\n" * 3000, id="long"),
    ],
)
def test_its_tokens_are_those_of_the_model(near: LlamaEngine, far: Engine, text: str) -> None:
    expected = near.tokenizer.encode(text)
    assert far.tokenizer.encode(text) == expected
    assert far.tokenizer.encode(text) == expected
    assert [far.tokenizer.piece(token) for token in expected] == [near.tokenizer.piece(token) for token in expected]
    assert far.tokenizer.encode_markup(text) == near.tokenizer.encode_markup(text)


def test_it_knows_what_its_model_is(near: LlamaEngine, far: Engine) -> None:
    assert far.tokenizer.family == near.tokenizer.family
    assert far.tokenizer.begins_with_bos == near.tokenizer.begins_with_bos
    assert far.tokenizer.special(Special.FIM_MIDDLE) == near.tokenizer.special(Special.FIM_MIDDLE)
    assert far.tokenizer.name(Special.FIM_MIDDLE) == near.tokenizer.name(Special.FIM_MIDDLE)
    assert (far.name, far.context_tokens, far.chat_template) == (near.name, near.context_tokens, near.chat_template)
    with pytest.raises(ModelUnusable, match="no token for repository name"):
        far.tokenizer.special(Special.REPOSITORY)


async def test_what_was_read_is_not_read_again(far: Engine) -> None:
    asked = prompt(far, SOURCE + "urn a - b  # read once\n")
    before = far.unread(asked)
    await far.generate(Request(prompt=asked, max_tokens=1))
    assert before > 3
    assert far.unread(asked) == 0
    assert far.usage.prefill_tokens > 0


async def test_cancelling_stops_it_and_the_next_request_goes_on_there(far: Engine, near: LlamaEngine) -> None:
    whole = await near.generate(Request(prompt=prompt(near), max_tokens=30))
    progress, begun = Progress(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_text(text: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return False

    first = Request(prompt=prompt(far), max_tokens=30, on_text=on_text, progress=progress)
    task = asyncio.create_task(far.generate(first))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    second = await far.generate(Request(prompt=prompt(far), max_tokens=30, progress=progress))
    assert second.text == whole.text
    assert far.idle


async def test_many_requests_at_once_are_each_answered(far: Engine) -> None:
    async def ask(number: int) -> str:
        priority = Priority.CHAT if number % 2 else Priority.COMPLETION
        request = Request(prompt=prompt(far, f"# {number}\n"), max_tokens=4, priority=priority)
        return (await far.generate(request)).text

    tasks = [asyncio.create_task(ask(number)) for number in range(30)]
    await asyncio.sleep(0.01)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, str) for number, answer in enumerate(answers) if number % 3)
    again = await ask(1)
    assert again == answers[1]


async def test_a_prompt_that_is_too_long_is_refused_in_the_same_words(far: Engine, near: LlamaEngine) -> None:
    messages = []
    for engine in (far, near):
        with pytest.raises(PromptTooLong) as caught:
            await engine.generate(Request(prompt=prompt(engine, "x = 1\n" * 2000), max_tokens=1))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


async def test_an_error_of_a_stop_rule_is_no_failure_of_the_engine(far: Engine) -> None:
    def on_text(text: str) -> bool:
        raise ValueError(text)

    with pytest.raises(EngineError, match="could not be told") as caught:
        await far.generate(Request(prompt=prompt(far), max_tokens=4, on_text=on_text))
    assert not isinstance(caught.value, EngineFailed)
    assert (await far.generate(Request(prompt=prompt(far), max_tokens=4))).text


def test_engines_share_a_process_which_ends_with_the_last() -> None:
    process = EngineProcess()
    assert process.id is None
    first, second = load(process), load(process)
    child = psutil.Process(process.id)
    first.close()
    first.close()
    assert child.is_running()
    second.close()
    assert process.id is None
    assert not child.is_running()


async def test_a_closed_engine_says_so(process: EngineProcess, far: Engine) -> None:
    engine = load(process)
    engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        await engine.generate(Request(prompt=prompt(far), max_tokens=1))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        pytest.param(None, ModelNotFound, "no model file", id="missing"),
        pytest.param(b"nothing", ModelUnusable, "not a GGUF file", id="another file"),
        pytest.param(MODEL.read_bytes()[:20_000], ModelUnusable, "download it again", id="cut off"),
    ],
)
def test_errors_of_loading_are_those_of_the_engine(
    tmp_path: Path, content: bytes | None, error: type[EngineError], words: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    process = EngineProcess()
    with pytest.raises(error, match=words):
        load(process, path)
    assert process.id is None


def with_number(key: bytes, value: int, model: bytes = MODEL.read_bytes()) -> bytes:
    """The model with another number in its metadata: the key, its type (4: uint32), and the number."""
    at = model.index(key) + len(key)
    assert model[at : at + 4] == struct.pack("<I", 4)
    return model[: at + 4] + struct.pack("<I", value) + model[at + 8 :]


async def ask_once(engine: Engine) -> None:
    try:
        await engine.generate(Request(prompt=prompt(engine), max_tokens=2))
    finally:
        engine.close()


async def test_weights_that_are_no_numbers_are_said_to_be_damaged(tmp_path: Path) -> None:
    """And the process, which other engines may share, goes on."""
    path = tmp_path / "noise.gguf"
    path.write_bytes(MODEL.read_bytes()[:-1_000_000] + b"\xff" * 1_000_000)
    process = EngineProcess()
    sound = load(process)
    before = process.id
    with pytest.raises(ModelUnusable, match=r"damaged.*download it again\.$"):
        await ask_once(load(process, path))
    assert process.id == before
    assert (await sound.generate(Request(prompt=prompt(sound), max_tokens=2))).text
    sound.close()


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(with_number(b"gemma.context_length", 1), id="a context of one token"),
        pytest.param(with_number(b"gemma.block_count", 0), id="no layers"),
        pytest.param(with_number(b"gemma.block_count", 2**31), id="too many layers"),
        pytest.param(with_number(b"gemma.attention.head_count", 0), id="no heads"),
    ],
)
async def test_metadata_that_end_llama_cpp_end_no_more_than_its_process(tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "forged.gguf"
    path.write_bytes(model)
    process = EngineProcess()
    with pytest.raises((EngineFailed, ModelUnusable, PromptTooLong)):
        await ask_once(load(process, path))
    after = load(process)
    assert (await after.generate(Request(prompt=prompt(after), max_tokens=2))).text
    after.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param(signal.SIGKILL, "was ended by SIGKILL", id="killed"),
        pytest.param(signal.SIGABRT, "was ended by SIGABRT", id="aborted"),
        pytest.param(signal.SIGSTOP, "no sign of life", id="stopped"),
    ],
)
async def test_an_end_of_the_process_fails_what_waits_and_a_new_one_answers(
    monkeypatch: pytest.MonkeyPatch, end: signal.Signals, words: str
) -> None:
    process = EngineProcess()
    engine = load(process)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_text(text: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return False

    request = Request(prompt=prompt(engine), max_tokens=900, on_text=on_text)
    task = asyncio.create_task(engine.generate(request))
    await begun.wait()
    assert process.id is not None
    with monkeypatch.context() as patch:
        patch.setattr(client, "_SILENT_S", 0.5)
        os.kill(process.id, end)
        with pytest.raises(EngineFailed, match=words):
            await task
    with pytest.raises(EngineFailed):
        engine.tokenizer.encode("a line that nobody has asked for\n")
    again = load(process)
    engine.close()
    assert (await again.generate(Request(prompt=prompt(again), max_tokens=2))).text
    again.close()
    assert process.id is None


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be cut there")
async def test_a_model_that_is_cut_while_it_is_in_use_costs_one_answer(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL.read_bytes())
    process = EngineProcess()
    engine = load(process, path)
    os.truncate(path, 20_000)
    with pytest.raises(EngineFailed):
        await engine.generate(Request(prompt=prompt(engine), max_tokens=4))
    engine.close()
    with pytest.raises(ModelUnusable, match="download it again"):
        load(process, path)


async def test_a_model_that_is_overwritten_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL.read_bytes())
    process = EngineProcess()
    engine = load(process, path)
    with path.open("r+b") as file:
        file.seek(200_000)
        file.write(bytes(400_000))
    with pytest.raises(EngineFailed, match="has changed"):
        await engine.generate(Request(prompt=prompt(engine), max_tokens=4))
    engine.close()


def test_a_load_is_given_up() -> None:
    process = EngineProcess()
    with pytest.raises(LoadCancelled):
        engines.load(SETTINGS, lambda share: False, process=process)
    assert process.id is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_load_that_takes_no_notice_is_given_up_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_PATIENCE_S", 0.2)
    process = EngineProcess()

    def on_progress(share: float) -> bool:
        assert process.id is not None
        os.kill(process.id, signal.SIGSTOP)
        return False

    with pytest.raises(LoadCancelled):
        engines.load(SETTINGS, on_progress, process=process)
    assert process.id is None


def test_it_ends_when_the_server_does() -> None:
    program = (
        "from codegemma_lsp import engines; from codegemma_lsp.engines.worker.client import EngineProcess;"
        "from codegemma_lsp.settings import Settings; import sys, time; process = EngineProcess();"
        f"engines.load(Settings(model={str(MODEL)!r}, threads=1), process=process); print(process.id, flush=True);"
        "time.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert server.stdout is not None
    child = psutil.Process(int(server.stdout.readline()))
    server.kill()
    server.wait()
    server.stdout.close()
    child.wait(30)


def test_nothing_is_imported_from_where_the_server_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "codegemma_lsp.py").write_text("raise SystemExit(7)")
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    process = EngineProcess()
    load(process).close()


async def test_a_process_that_sends_what_is_no_message_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, read = load(EngineProcess()), frames.read
    asked = Request(prompt=prompt(engine), max_tokens=24)
    monkeypatch.setattr(frames, "read", lambda pipe: read(pipe) and b"{")
    await engine.generate(asked)  # its answer is waited for already
    with pytest.raises(EngineFailed, match="starts again"):
        await engine.generate(asked)
    engine.close()
