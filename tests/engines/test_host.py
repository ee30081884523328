"""The process that windows share: it answers as an engine in this process does, loads a model once, and neither its end
nor a window that hangs takes another window along."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pytest

from codegemma_lsp import engines
from codegemma_lsp.cli import doctor
from codegemma_lsp.engines import whereabouts
from codegemma_lsp.engines.backends.llama_engine import LlamaEngine
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.host import process as host_process
from codegemma_lsp.engines.host.messages import Hello, Status, version
from codegemma_lsp.engines.host.place import FOLDER_VARIABLE, LOCK, HostUnavailable, host_folder, socket_path
from codegemma_lsp.engines.host.pool import Pool
from codegemma_lsp.engines.host.process import IDLE_VARIABLE
from codegemma_lsp.engines.host.record import Record
from codegemma_lsp.engines.protocol import (
    Engine,
    EngineFailed,
    Finish,
    LoadCancelled,
    ModelNotFound,
    ModelUnusable,
    Options,
    Priority,
    Progress,
    Request,
    SharedProcessEnded,
)
from codegemma_lsp.engines.turns import Turns
from codegemma_lsp.engines.worker import client as worker_client
from codegemma_lsp.engines.worker import frames
from codegemma_lsp.engines.worker.client import EngineProcess
from codegemma_lsp.engines.worker.messages import TO_PROCESS, Encode, Load
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.prompt import Prompt, Special, Text
from codegemma_lsp.settings import Settings
from tests.client import Client, serving
from tests.scripted import noted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
MODEL = model_path(BUNDLED)
SETTINGS = Settings(model=str(MODEL), threads=1, context_tokens=1024, slots=2)
SOURCE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret"
HOST = [sys.executable, "-m", "codegemma_lsp.engines.host.process"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a host of the test's own, which has ended after it."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "host"))
    monkeypatch.setenv(IDLE_VARIABLE, "2")
    yield tmp_path / "host"
    with suppress(HostUnavailable):
        client.stop()


def window() -> EngineProcess:
    return EngineProcess(client.connect)


def load(window: EngineProcess, **changes: object) -> Engine:
    return engines.load(SETTINGS.model_copy(update=changes), process=window)


def prompt(engine: Engine, text: str = SOURCE) -> Prompt:
    count = len(engine.tokenizer.encode(text)) + 1
    return Prompt(segments=(Special.BOS, Text(text, "the file")), tokens=count)


async def said(engine: Engine) -> str:
    async with asyncio.timeout(60):
        return (await engine.generate(Request(prompt=prompt(engine), max_tokens=12))).text


def status() -> Status:
    found = client.status()
    assert found is not None
    return found


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def begun(engine: Engine, **more: object) -> asyncio.Task[object]:
    """A long generation that has generated something."""
    started, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_text(text: str) -> bool:
        loop.call_soon_threadsafe(started.set)
        return False

    asked = Request(prompt=prompt(engine), max_tokens=900, on_text=on_text, **more)  # type: ignore[arg-type]
    task: asyncio.Task[object] = asyncio.create_task(engine.generate(asked))
    await started.wait()
    return task


async def test_it_answers_as_an_engine_in_this_process_does() -> None:
    asked: dict[str, object] = {"max_tokens": 24, "drafts": 6, "hint": "urn a - b\n", "given_up": lambda: False}
    seen: dict[Engine, list[str]] = {}

    near = LlamaEngine(MODEL, Options(threads=1, context_tokens=1024, slots=2))
    far = load(window())
    answers = []
    for engine in (near, far):
        on_text = noted(seen.setdefault(engine, []), 40)
        answers.append(await engine.generate(Request(prompt=prompt(engine), on_text=on_text, **asked)))  # type: ignore[arg-type]
        engine.close()
    assert (answers[0].text, answers[0].finish, answers[0].ends) == (
        answers[1].text,
        answers[1].finish,
        answers[1].ends,
    )
    assert seen[near] == seen[far]


async def test_windows_share_a_model_that_is_loaded_once() -> None:
    first, second = load(window()), load(window())
    assert await said(first) == await said(second)
    now = status()
    assert (now.windows, now.loads, [model.users for model in now.models]) == (2, 1, [2])
    assert second.unread(prompt(second)) == 0, "what one window has read is read for the other"
    first.close()
    assert await said(second)
    with pytest.raises(EngineFailed, match="closed"):
        await said(first)
    second.close()
    until(lambda: status().windows == 0)
    again = load(window())
    assert status().loads == 1, "it is kept for a while"
    again.close()


def test_engines_with_other_settings_are_not_shared() -> None:
    first, second = load(window()), load(window(), context_tokens=512)
    assert status().loads == 2
    assert (first.context_tokens, second.context_tokens) == (1024, 512)
    first.close()
    third = load(window(), slots=3)
    assert [model.users for model in status().models] == [1, 1], "what nobody uses makes place"
    second.close()
    third.close()


async def test_what_a_window_has_begun_goes_on_after_it_was_cancelled() -> None:
    engine, progress = load(window()), Progress()
    whole = await engine.generate(Request(prompt=prompt(engine), max_tokens=900))
    task = await begun(engine, progress=progress)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (await engine.generate(Request(prompt=prompt(engine), max_tokens=900, progress=progress))).text == whole.text
    engine.close()


async def test_errors_are_those_of_an_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no model file"):
        load(window(), model=str(tmp_path / "none.gguf"))
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL.read_bytes())
    ours, theirs = window(), window()
    engine = load(ours, model=str(path))
    with path.open("r+b") as file:
        file.seek(200_000)
        file.write(bytes(400_000))
    with pytest.raises(EngineFailed, match="has changed"):
        await said(engine)
    path.write_bytes(MODEL.read_bytes())
    again = load(theirs, model=str(path))
    assert await said(again)
    engine.close()
    again.close()


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param(signal.SIGKILL, "has ended; it starts again", id="killed"),
        pytest.param(signal.SIGSTOP, "no sign of life", id="stopped"),
    ],
)
async def test_its_end_costs_each_window_an_answer_and_the_next_is_there(
    monkeypatch: pytest.MonkeyPatch, end: signal.Signals, words: str
) -> None:
    windows = [window(), window()]
    failures: list[list[EngineFailed]] = [[], []]
    both = [
        engines.load(SETTINGS, process=one, on_failure=told.append) for one, told in zip(windows, failures, strict=True)
    ]
    task = await begun(both[0])
    old = status().pid
    with monkeypatch.context() as patch:
        patch.setattr(worker_client, "_SILENT_S", 0.5)
        os.kill(old, end)
        with pytest.raises(SharedProcessEnded, match=words):
            await task
    until(lambda: all(failures))
    assert [len(told) for told in failures] == [1, 1]
    again = [load(one) for one in windows]
    assert [await said(engine) for engine in again] == [await said(again[0])] * 2
    now = status()
    assert now.pid != old
    assert (now.windows, now.loads) == (2, 1)
    for engine in (*both, *again):
        engine.close()


def test_a_host_that_does_not_greet_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SILENT_S", 0.5)
    with closing(load(window())):
        old = psutil.Process(status().pid)
    old.suspend()
    with closing(load(window())):
        assert status().pid != old.pid
        assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE


async def test_a_model_that_ends_it_three_times_is_not_loaded_again_by_any_window() -> None:
    for _ in range(3):
        engine = load(window())
        task = await begun(engine)
        os.kill(status().pid, signal.SIGKILL)
        with pytest.raises(SharedProcessEnded):
            await task
        engine.close()
    with pytest.raises(ModelUnusable, match="3 times in a row: change the model"):
        load(window())
    with closing(load(window(), context_tokens=512)) as other:
        assert await said(other)


def test_an_engine_that_failed_is_lent_to_nobody_else(tmp_path: Path) -> None:
    pool = Pool(Record(tmp_path / "record.json"), idle_s=0.05)
    first = pool.take(SETTINGS, lambda _: True)
    assert pool.take(SETTINGS, lambda _: True) is first
    pool.end(first, EngineFailed("It failed."))
    second = pool.take(SETTINGS, lambda _: True)
    assert second is not first
    for engine in (first, first, second):
        pool.give_back(engine)
    until(lambda: pool.is_empty)
    with pytest.raises(EngineFailed, match="closed"):
        second.submit(Request(prompt=Prompt(segments=(), tokens=0), max_tokens=1), lambda _: None, threading.Event())


def test_a_load_that_others_wait_for_can_be_given_up(tmp_path: Path) -> None:
    pool = Pool(Record(tmp_path / "record.json"), idle_s=0.05)
    is_loading, go_on = threading.Event(), threading.Event()

    def first(share: float) -> bool:
        is_loading.set()
        go_on.wait(30)
        return False

    def load_first() -> None:
        with suppress(LoadCancelled):
            pool.take(SETTINGS, first)

    thread = threading.Thread(target=load_first)
    thread.start()
    is_loading.wait(30)
    with pytest.raises(LoadCancelled):
        pool.take(SETTINGS, lambda _: False)
    go_on.set()
    engine = pool.take(SETTINGS, lambda _: True)
    thread.join()
    assert pool.loads == 1
    pool.give_back(engine)
    until(lambda: pool.is_empty)


def test_the_record_counts_what_a_host_was_busy_with(tmp_path: Path) -> None:
    def ended(*busy: str, answered: str = "") -> Record:
        record = Record(tmp_path / "record.json")
        for model in busy:
            record.begin(model)
        if answered:
            record.finish(answered)
            record.clear(answered)
        return Record(tmp_path / "record.json")

    assert ended("bad", "good", answered="good").ends("bad") == 1
    after = ended("bad")
    assert (after.ends("bad"), after.ends("good")) == (2, 0)
    after = ended("bad", answered="bad")
    assert after.ends("bad") == 0
    (tmp_path / "record.json").write_text('{"ends": [], "busy": 3}')
    assert Record(tmp_path / "record.json").ends("bad") == 0


STOPPED = """
import asyncio, sys
from tests.engines.test_host import begun, load, window
async def main():
    engine = load(window())
    task = await begun(engine)
    print("begun", flush=True)
    await task
asyncio.run(main())
"""


async def test_a_window_that_is_stopped_holds_up_nobody() -> None:
    engine = load(window())
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", STOPPED, stdout=asyncio.subprocess.PIPE)
    assert other.stdout is not None
    try:
        assert await other.stdout.readline() == b"begun\n"
        other.send_signal(signal.SIGSTOP)
        assert await said(engine)
        assert (status().loads, status().windows) == (1, 2)
    finally:
        other.kill()
        await other.wait()
    until(lambda: status().windows == 1)
    assert [model.users for model in status().models] == [1]
    engine.close()


def slow_to_answer(texts: list[str], times: int, by: float = 1.5) -> Callable[[str], bool]:
    """A stop rule that takes too long the first times, ``by`` so many times what is waited for."""

    def on_text(text: str) -> bool:
        texts.append(text)
        if len(texts) <= times:
            time.sleep(by * host_process._VERDICT_S)
        return False

    return on_text


async def test_a_window_that_was_slow_once_gets_the_whole_answer() -> None:
    engine, texts = load(window()), list[str]()
    whole = await said(engine)
    slow = Request(prompt=prompt(engine), max_tokens=12, on_text=slow_to_answer(texts, times=1, by=2.5))
    generation = await engine.generate(slow)
    assert generation.text == whole == texts[-1]
    assert generation.finish is Finish.LENGTH
    assert len(set(texts)) == len(texts), "it is not asked again what was answered too late"
    engine.close()


@pytest.mark.parametrize("priority", [Priority.COMPLETION, Priority.PREFETCH])
async def test_a_generation_is_cancelled_if_its_window_is_always_slow(
    monkeypatch: pytest.MonkeyPatch, priority: Priority
) -> None:
    monkeypatch.setattr(worker_client, "_MOST_RESUMED", 1)
    engine, texts = load(window()), list[str]()
    asked = Request(prompt=prompt(engine), max_tokens=900, on_text=slow_to_answer(texts, times=900), priority=priority)
    assert (await engine.generate(asked)).finish is Finish.CANCELLED
    assert len(texts) == (2 if priority is Priority.COMPLETION else 1)
    engine.close()


async def test_what_is_given_up_is_not_continued() -> None:
    engine, asked = load(window()), list[bool]()

    def given_up() -> bool:
        asked.append(True)
        return len(asked) > 3

    generation = await engine.generate(Request(prompt=prompt(engine), max_tokens=900, given_up=given_up))
    assert generation.finish is Finish.CANCELLED
    assert len(asked) == 4
    engine.close()


async def test_texts_of_a_slow_window_keep_their_order() -> None:
    """What a generation has added before it was cancelled, which waited behind the slow answer to another, comes
    before what it has added since."""
    engine, texts = load(window()), list[str]()
    progress = Progress()
    whole = await engine.generate(Request(prompt=prompt(engine), max_tokens=30))
    slow = Request(prompt=prompt(engine, "# slow\n"), max_tokens=3, on_text=slow_to_answer(texts, times=1))
    behind = Request(prompt=prompt(engine), max_tokens=30, on_text=lambda text: False, progress=progress)
    _, found = await asyncio.gather(engine.generate(slow), engine.generate(behind))
    assert found.text == progress.text == whole.text
    engine.close()


def connected(version_: str) -> tuple[socket.socket, BinaryIO]:
    """A connection as a window begins it, which nothing reads from by itself."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(socket_path(host_folder())))
    connection.sendall(frames.framed(Hello(version=version_, wants="engines").model_dump_json().encode()))
    reader = connection.makefile("rb")
    assert frames.read(reader) is not None
    return connection, reader


async def test_a_window_that_reads_nothing_is_left() -> None:
    with closing(load(window())) as engine, ExitStack() as stack:
        connection, reader = connected(version())
        stack.enter_context(connection)
        stack.enter_context(reader)
        until(lambda: status().windows == 2)
        asked = TO_PROCESS.dump_json(Load(call=0, settings=SETTINGS.model_dump(mode="json")))
        connection.sendall(frames.framed(asked))
        with suppress(OSError):
            for call in range(1, 100_000):
                many = Encode(call=call, engine=0, texts=("x = 1\n" * 1000,), markup=False)
                connection.sendall(frames.framed(TO_PROCESS.dump_json(many)))
        until(lambda: status().windows == 1)
        assert await said(engine)


def test_what_is_no_message_ends_one_connection() -> None:
    with closing(load(window())), ExitStack() as stack:
        connection, reader = connected(version())
        stack.enter_context(connection)
        stack.enter_context(reader)
        connection.sendall(frames.framed(b"{"))
        assert reader.read() == b""
        until(lambda: status().windows == 1)


async def test_windows_take_turns() -> None:
    flooding, modest = load(window()), load(window())
    done: list[str] = []
    is_held, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(text: str) -> bool:
        """Keeps the engine busy until all requests wait for it."""
        loop.call_soon_threadsafe(is_held.set)
        return release.wait(0.8 * host_process._VERDICT_S)

    async def ask(engine: Engine, name: str) -> None:
        await engine.generate(Request(prompt=prompt(engine, f"# {name}\n"), max_tokens=4))
        done.append(name)

    tasks = [asyncio.create_task(flooding.generate(Request(prompt=prompt(flooding), max_tokens=9, on_text=hold)))]
    await is_held.wait()
    tasks += [asyncio.create_task(ask(flooding, "flood")) for _ in range(8)]  # type: ignore[arg-type]
    await asyncio.sleep(0.2)
    tasks.append(asyncio.create_task(ask(modest, "modest")))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    release.set()
    await asyncio.gather(*tasks)
    assert done.index("modest") <= 1
    flooding.close()
    modest.close()


async def test_a_window_that_closes_its_engine_leaves_nothing_running() -> None:
    both = window()
    closing_one, kept, other = load(both), load(both, context_tokens=512), load(window())
    task = asyncio.create_task(closing_one.generate(Request(prompt=prompt(closing_one), max_tokens=900)))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(closing_one.close)
    with pytest.raises(EngineFailed, match="closed"):
        await task
    assert await said(other)
    assert other.usage.completion_tokens < 900
    kept.close()
    other.close()


async def test_a_completion_goes_before_the_chats_of_another_window() -> None:
    chatting, typing = load(window()), load(window())
    done: list[str] = []

    async def ask(engine: Engine, name: str, priority: Priority, tokens: int) -> None:
        asked = Request(prompt=prompt(engine, f"# {name}\n"), max_tokens=tokens, priority=priority)
        await engine.generate(asked)
        done.append(name)

    running = await begun(chatting, priority=Priority.CHAT)
    tasks = [asyncio.create_task(ask(chatting, "chat", Priority.CHAT, 50)) for _ in range(3)]
    await asyncio.sleep(0.01)
    await ask(typing, "completion", Priority.COMPLETION, 4)
    await asyncio.gather(running, *tasks)
    assert done[0] == "completion"
    chatting.close()
    typing.close()


def test_turns() -> None:
    turns = Turns()
    queue = [(turns.next(0, 1), number, "a") for number in range(4)]
    turns.begin(0, queue.pop(0)[0])
    queue += [(turns.next(0, 2), number, "b") for number in range(4, 6)]
    queue += [(turns.next(0, 3), 6, "c")]
    assert "".join(name for *_, name in sorted(queue)) == "bcabaa"[:6]


def test_two_that_start_at_once_are_one() -> None:
    links: list[client.HostLink] = []
    threads = [threading.Thread(target=lambda: links.append(client.connect())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({link.pid for link in links}) == 1
    for link in links:
        link.from_process.close()
        link.hang_up()
        link.failure(False)


def test_a_second_host_ends_at_once_and_a_killed_one_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(load(window())):
        first = status().pid
        second = subprocess.run(HOST, capture_output=True, text=True, timeout=60, check=False)
        assert (second.returncode, status().pid) == (1, first)
        assert "Another host runs already" in second.stderr
        os.kill(first, signal.SIGKILL)
    assert socket_path(host_folder()).exists()
    with closing(load(window())):
        assert status().pid != first


def test_it_outlives_the_window_that_started_it() -> None:
    program = (
        "import time; from tests.engines.test_host import load, window; engine = load(window());"
        "print('loaded', flush=True); time.sleep(600)"
    )
    first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == b"loaded\n"
        before = status()
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        first.stdout.close()
    os.kill(before.pid, signal.SIGHUP)
    with closing(load(window())):
        until(lambda: status().windows == 1)
        assert (status().pid, status().loads) == (before.pid, 1)


def test_only_the_user_may_enter(folder: Path) -> None:
    with closing(load(window())):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_path(folder).stat().st_mode & 0o777 == 0o600


def opened_to_all(folder: Path, patch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o755)


def elsewhere(folder: Path, patch: pytest.MonkeyPatch) -> None:
    (folder.parent / "real").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "real")


def too_long(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv(FOLDER_VARIABLE, str(folder / ("x" * 100)))


def of_another_version(folder: Path, patch: pytest.MonkeyPatch) -> None:
    client.connect().failure(False)
    patch.setattr(client, "version", lambda: "another")


def of_another_user(folder: Path, patch: pytest.MonkeyPatch) -> None:
    client.connect().failure(False)
    patch.setattr(client, "peer", lambda connection: (0, False))


def that_cannot_start(folder: Path, patch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    (folder / LOCK).mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (opened_to_all, "only you may enter"),
        (elsewhere, "only you may enter"),
        (too_long, "too long"),
        (of_another_version, "this window's another"),
        (of_another_user, "another user's"),
        (that_cannot_start, "ended with code"),
    ],
)
async def test_without_a_host_a_window_has_its_own_process(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    words: str,
) -> None:
    spoil(folder, monkeypatch)
    process = EngineProcess(client.shared_or_own)
    with closing(load(process)) as engine:
        assert await said(engine)
        assert process.id is not None
        assert psutil.Process(process.id).ppid() == os.getpid()
    assert words in caplog.text
    monkeypatch.undo()


def test_it_frees_what_nobody_uses_and_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.02")
    with closing(load(window())):
        host = psutil.Process(status().pid)
        time.sleep(3)
        assert status().models, "what is used is kept"
    until(lambda: client.status() is None)  # which is to be asked without keeping it
    host.wait(60)
    assert not socket_path(folder).exists()
    assert '"busy": []' in (folder / "record.json").read_text("utf-8")


@pytest.mark.parametrize("stop", [client.stop, lambda: os.kill(status().pid, signal.SIGTERM)])
async def test_it_is_stopped(folder: Path, stop: Callable[[], object]) -> None:
    assert client.stop() is None
    with closing(load(window())) as engine:
        task = await begun(engine)
        await asyncio.to_thread(stop)
        with pytest.raises(SharedProcessEnded):
            await task
        until(lambda: client.status() is None)
    assert '"busy": []' in (folder / "record.json").read_text("utf-8")


OPTIONS = {"model": BUNDLED, "threads": 1, "minConfidence": -99, "shareModel": True}


async def completes(editor: Client) -> bool:
    editor.type(len(editor.document.text), "u")
    return await editor.complete(len(editor.document.text), explicit=True) is not None


async def test_two_servers_have_one_host_and_survive_its_end() -> None:
    async with serving(OPTIONS) as one, serving(OPTIONS) as other:
        for editor in (one, other):
            editor.open(SOURCE)
            assert await completes(editor)
            children = psutil.Process(editor._server.pid).children()  # type: ignore[union-attr]
            assert not [child for child in children if "codegemma_lsp.engines" in " ".join(child.cmdline())]
        before = await asyncio.to_thread(status)
        assert (before.windows, before.loads) == (2, 1)
        seen = [len(editor.statuses) for editor in (one, other)]
        os.kill(before.pid, signal.SIGKILL)
        for editor, count in zip((one, other), seen, strict=True):
            async with asyncio.timeout(60):
                while not any(status.message.startswith("Ready") for status in editor.statuses[count:]):
                    await asyncio.sleep(0.01)
            told = [status.message for status in editor.statuses[count:] if "starts again" in status.message]
            assert told == ["The engine's process has ended; it starts again."]
            assert await completes(editor)
        after = await asyncio.to_thread(status)
        assert (after.windows, after.loads) == (2, 1)
        assert after.pid != before.pid
    await asyncio.to_thread(until, lambda: status().windows == 0)


async def where(editor: Client) -> Any:
    return await editor.protocol.send_request_async("codegemma/engines", {})


async def test_windows_share_by_default_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGEMMA_SHARE_MODEL")
    given = {name: value for name, value in OPTIONS.items() if name != "shareModel"}
    async with serving(given) as one:
        alone = await where(one)
        async with serving(given) as other:
            both = [await where(editor) for editor in (one, other)]
        now = await asyncio.to_thread(status)
    runs = f"The model runs in process {now.pid}, which"
    assert alone.message.startswith(f"{runs} windows share, now this one alone, and holds ")
    for said_ in both:
        assert said_.message.startswith(f"{runs} 2 windows share and holds ")
        assert (said_.process, said_.windows) == (now.pid, 2)
        assert said_.memory > MODEL.stat().st_size


async def test_a_window_of_its_own_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_to_all(folder, monkeypatch)
    async with serving(OPTIONS) as editor:
        found = await where(editor)
    assert found.windows == 0
    assert "of this window and holds" in found.message
    assert found.message.endswith(f"run: chmod 700 {folder}")


async def test_where_there_can_be_no_host_nothing_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    process = EngineProcess(client.shared_or_own)
    with closing(load(process)) as engine:
        assert await said(engine)
        found = process.whereabouts()
    assert caplog.text == ""
    assert found is not None
    assert "cannot share a model" in found.sentence
    check = doctor._host(SETTINGS)
    assert (check.ok, check.detail) == (True, found.reason)


def test_doctor_says_what_the_host_has(folder: Path) -> None:
    with closing(load(window())):
        assert f"{MODEL}, used 1 times" in doctor._host(SETTINGS).detail
        alone = doctor._host(SETTINGS.model_copy(update={"share_model": False}))
        assert alone.ok
        assert alone.detail.startswith("shareModel is off, so each window has a process of its own; process")
        client.stop()
        folder.chmod(0o755)
        assert not doctor._host(SETTINGS).ok
        folder.chmod(0o700)


def test_memory_is_told_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    known = whereabouts.memory_of(os.getpid())
    assert known is not None
    monkeypatch.setattr(whereabouts, "Path", lambda _: Path(os.devnull))
    asked = whereabouts.memory_of(os.getpid())
    assert asked is not None
    assert 0.5 < asked / known < 2
    assert whereabouts.memory_of(2**30) is None


async def test_without_the_setting_no_host_is_started() -> None:
    async with serving({**OPTIONS, "shareModel": False}) as editor:
        editor.open(SOURCE)
        assert await completes(editor)
        assert client.status() is None


def test_where_there_is_no_runtime_folder_nothing_is_printed(tmp_path: Path) -> None:
    """As over SSH and in containers."""
    environment = {name: text for name, text in os.environ.items() if name not in (FOLDER_VARIABLE, "XDG_RUNTIME_DIR")}
    asked = [sys.executable, "-m", "codegemma_lsp", "host", "status"]
    told = subprocess.run(
        asked, env={**environment, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Warning" not in told.stderr
