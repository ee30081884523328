"""The real server over stdio, with the bundled model."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import random
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp.document import Edit, Encoding, Span
from codegemma_lsp.server import Protocol
from codegemma_lsp.settings.guarded import TRUST_VARIABLE
from tests.client import REQUEST_CANCELLED, Client, serving

SOURCE = (Path(__file__).parent / "data" / "typed.py").read_text("utf-8")
AT = SOURCE.index("def edges(")
KEYSTROKES = SOURCE.index("\n", AT + 190) - AT
"""Up to a line end: within a word, nothing is suggested."""
OPTIONS = {"reportCompletions": True, "minConfidence": -9, "answerWithinMs": 0}
CLASS = "class A:\n    def __init__(self, value):\n        self.val"
"""The bundled model goes on from here with ``ue = value``."""


async def type_and_ask(client: Client, at: int, typed: str, rng: random.Random) -> dict[str, int]:
    """Types one character after the other with a request after each; cancels a third of them at random moments."""
    tasks = []
    for i, character in enumerate(typed):
        client.type(at + i, character)
        msg_id = f"key-{i}"
        request = client.request(client.position(at + i + 1), msg_id)
        if rng.random() < 1 / 3:
            await asyncio.sleep(rng.random() ** 2 * 0.02)
            client.cancel_request(types.CancelParams(id=msg_id))
        elif rng.random() < 0.8:
            await asyncio.wait([request], timeout=20)
        tasks.append((request, client.document, at + i + 1))
    counts = {"answered": 0, "cancelled": 0}
    for request, document, offset in tasks:
        (answer,) = await asyncio.wait_for(asyncio.gather(request, return_exceptions=True), 20)
        if isinstance(answer, BaseException):
            assert isinstance(answer, JsonRpcException)
            assert answer.code == REQUEST_CANCELLED
            counts["cancelled"] += 1
            continue
        counts["answered"] += 1
        for item in answer.items:
            check_item(client, item, document.position(offset, client.encoding).line)
    return counts


def check_item(client: Client, item: types.InlineCompletionItem, line: int) -> None:
    """Invariant 1: the range contains the cursor and stays on its line; the text holds no special token."""
    assert item.range is not None
    assert item.range.start.line == item.range.end.line == line
    assert isinstance(item.insert_text, str)
    assert item.insert_text.strip()
    assert "<|" not in item.insert_text
    assert item.command is not None
    assert item.command.command == "codegemma.accept"


@pytest.mark.parametrize("encoding", list(Encoding))
async def test_two_hundred_keystrokes_a_third_of_them_cancelled(encoding: Encoding) -> None:
    """One response each, no text outside ranges, nothing left over, and equal texts at both ends."""
    before, typed, after = SOURCE[:AT], SOURCE[AT : AT + KEYSTROKES], SOURCE[AT + KEYSTROKES :]
    before = before.replace("Clean-up", "Clean-up \U0001f9f9 \u4e2d")
    async with serving(OPTIONS, encoding) as client:
        assert client.encoding is encoding
        client.open(before + after)
        counts = await type_and_ask(client, len(before), typed, random.Random(encoding.value))
        assert sum(counts.values()) == KEYSTROKES
        assert counts["cancelled"] > 10
        assert client.document.text == before + typed + after
        assert await same_text(client)
        assert not client.messages


async def same_text(client: Client) -> bool:
    """Whether the server's copy of the open document is the client's."""
    state = await client.protocol.send_request_async("codegemma/state", {})
    sums = {document.uri: document.sha256 for document in state.documents}
    return bool(sums[client.document.uri] == hashlib.sha256(client.document.text.encode()).hexdigest())


async def test_a_keystroke_reads_only_what_was_typed() -> None:
    """Anchored, in a file longer than the window: at the median at most 4 tokens, at the 95th percentile 64."""
    typed, after = SOURCE[AT : AT + KEYSTROKES], SOURCE[AT + KEYSTROKES :]
    async with serving({**OPTIONS, "layout": "anchored"}) as client:
        client.open(SOURCE[:AT] + after)
        await type_and_ask(client, AT, typed, random.Random(7))
        prompts = [report.tokens.prompt for report in client.completed if report.origin == "model"]
        reads = sorted(report.tokens.prefill for report in client.completed)
        assert len(reads) > KEYSTROKES // 2
        assert max(prompts) < 1024 < len(SOURCE) // 6
        assert statistics.median(reads) <= 4
        assert reads[int(0.95 * len(reads))] <= 64


async def first_suggestion(client: Client) -> tuple[str, str]:
    """Opens this file cut at one place after the other until the model has a suggestion of some length there."""
    for line in range(40, 160):
        text = "\n".join(SOURCE.split("\n")[:line])
        text = text[: len(text) - len(text.split("\n")[-1]) // 2]
        client.open(text)
        items = await client.complete(len(text), explicit=True)
        if items and len(str(items[0].insert_text)) > 3:
            return text, str(items[0].insert_text)
    pytest.fail("the model has nothing to say about its own source")


async def test_typed_as_suggested_needs_no_model() -> None:
    async with serving(OPTIONS) as client:
        text, suggested = await first_suggestion(client)
        client.type(len(text), suggested[0])
        (rest,) = await client.complete(len(text) + 1)
        assert rest.insert_text == suggested[1:]
        assert client.completed[-1].origin == "reuse"
        assert client.completed[-1].tokens.prefill == 0
        client.edit(Edit(Span(len(text), len(text) + 1), ""))
        assert await client.complete(len(text)) == []
        assert (client.completed[-1].origin, client.completed[-1].reason) == ("quiet", "something was just deleted")
        (back, *_) = await client.complete(len(text), explicit=True)
        assert back.insert_text == suggested
        assert [client.completed[-1].origin, client.completed[-1].tokens.prefill] == ["reuse", 0]


def item_of(item: types.InlineCompletionItem) -> Any:
    assert item.command is not None
    assert item.command.arguments is not None
    return item.command.arguments[0]


async def test_what_was_dismissed_is_not_suggested_again() -> None:
    async with serving(OPTIONS) as client:
        text, suggested = await first_suggestion(client)
        client.type(len(text), suggested[0])
        (rest,) = await client.complete(len(text) + 1)
        client.protocol.notify("codegemma/didDismiss", {"itemId": item_of(rest)})
        client.protocol.notify("codegemma/didDismiss", {"itemId": 5})
        client.protocol.notify("codegemma/didDismiss", None)
        assert await client.complete(len(text) + 1) == []
        assert client.completed[-1].reason == "it was dismissed here"
        assert await client.complete(len(text) + 1, explicit=True)
        assert not client.messages


async def test_the_newest_request_wins() -> None:
    at = SOURCE.index("def edges(")
    async with serving(OPTIONS) as client:
        client.open(SOURCE[:at] + CLASS)
        first = client.request(client.position(at), "first")
        second = client.request(client.position(at + len(CLASS)), "second", explicit=True)
        assert not (await first).items
        assert (await second).items


async def test_editors_without_ghost_text_get_a_list_entry() -> None:
    async with serving({"popup": "on"}) as client:
        client.open(CLASS)
        params = types.CompletionParams(
            types.TextDocumentIdentifier(client.document.uri), client.position(len(client.document.text))
        )
        answer = await client.text_document_completion_async(params)
        assert isinstance(answer, types.CompletionList)
        assert answer.items
        for item in answer.items:
            assert isinstance(item.text_edit, types.TextEdit)
            assert item.text_edit.new_text.startswith("val")


async def test_a_request_during_loading_is_answered_by_the_model_and_progress_is_shown() -> None:
    async with serving(OPTIONS, wait="") as client:
        client.open("def add(a, b):\n    return ")
        older = client.request(client.position(len(client.document.text)), "older", explicit=True)
        await client.complete(len(client.document.text), explicit=True)
        assert not (await older).items
        assert client.completed[-1].origin == "model"
        await client.ready()
        assert client.loading[0]["kind"] == "begin"
        assert [s.kind for s in client.statuses][-1] == "Normal"
        shares = [s.percentage for s in client.statuses if hasattr(s, "percentage")]
        assert shares
        assert shares == sorted(shares)
        assert not hasattr(client.statuses[-1], "percentage")
        assert "nano" in client.statuses[-1].message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "There is no model file at", id="missing"),
        pytest.param(b"not a model", "is not a GGUF file", id="not GGUF"),
        pytest.param(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64, "cannot be loaded", id="truncated"),
    ],
)
async def test_a_model_that_cannot_be_loaded_is_a_sentence_and_can_be_mended(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    async with serving({"model": str(path), **OPTIONS}, wait="") as client:
        client.open("def add(a, b):\n    return ")
        async with asyncio.timeout(20):
            while not client.messages:
                await asyncio.sleep(0.01)
        assert said in client.messages[0]
        assert "\n" not in client.messages[0]
        assert await client.complete(4) == []
        mended = types.DidChangeConfigurationParams(settings={"codegemma": {"model": "nano"}})
        client.workspace_did_change_configuration(mended)
        await client.ready()
        await client.complete(len(client.document.text), explicit=True)
        assert client.completed[-1].origin == "model"


@pytest.mark.parametrize("name", ["x" * 5000, "/x" * 5000], ids=["a name", "a path"])
async def test_of_an_overlong_path_the_message_is_short(tmp_path: Path, name: str) -> None:
    async with serving({"model": f"{tmp_path}/{name}", **OPTIONS}, wait="") as client:
        async with asyncio.timeout(20):
            while not client.messages:
                await asyncio.sleep(0.01)
        assert " … " in client.messages[0]
        assert len(client.messages[0]) < 1100
        assert all(len(status.message) < 1100 for status in client.statuses)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
async def test_a_pipe_as_model_is_a_sentence_and_the_server_leaves_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.gguf")
    async with serving({"model": str(tmp_path / "model.gguf"), **OPTIONS}, wait="") as client:
        async with asyncio.timeout(20):
            while not client.messages:
                await asyncio.sleep(0.01)
        assert "is not a file" in client.messages[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"maxTokens": "many"}, "The setting maxTokens cannot be 'many'"),
        ({"maxTokns": 5}, "There is no setting maxTokns; did you mean maxTokens?"),
        ({"layout": "sideways"}, "The setting layout cannot be 'sideways'"),
        ("nonsense", "The settings are 'nonsense' and not an object"),
    ],
)
async def test_a_bad_setting_is_named_and_its_default_used(options: object, said: str) -> None:
    async with serving(options) as client:
        assert said in client.messages[0]
        client.open("x = ")
        await client.complete(4)


async def completes_until(client: Client, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await client.complete(len(client.document.text), explicit=True)


async def test_settings_come_by_workspace_configuration() -> None:
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities(configuration=True))
    answers = [{"enabled": True, "reportCompletions": True, "maxTokens": None}]
    client = Client()
    client.feature(types.WORKSPACE_CONFIGURATION)(lambda params: answers)
    async with serving({"maxTokens": 16}, capabilities=capabilities, client=client):
        client.open("def add(a, b):\n    return ")
        await completes_until(client, lambda: bool(client.completed))
        assert client.completed[-1].tokens.completion <= 16
        answers[0] = {"enabled": False, "reportCompletions": True, "maxTokens": None}
        client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        await completes_until(client, lambda: client.completed[-1].reason == "suggestions are off")
        assert await client.complete(len(client.document.text), explicit=True) == []


async def test_an_editor_that_passes_on_a_workspaces_settings_sets_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST_VARIABLE)
    os.mkfifo(tmp_path / "model.gguf")
    theirs = {"model": str(tmp_path / "model.gguf"), "allowPlainHttp": True, "reportCompletions": True}
    async with serving(theirs) as client:
        client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"codegemma": theirs}))
        client.open("def add(a, b):\n    return ")
        await completes_until(client, lambda: bool(client.completed))
        told = " ".join(client.messages)
        assert "The editor's setting model is left out" in told
        assert "The editor's setting allowPlainHttp is left out" in told
        assert not any(status.kind == "Error" for status in client.statuses)


@pytest.mark.parametrize(
    ("text", "position", "language"),
    [
        pytest.param("", types.Position(0, 0), "python", id="empty file"),
        pytest.param("x = 1", types.Position(99, 99), "python", id="cursor past the end"),
        pytest.param("x" * 10_000_000, types.Position(0, 9_999_999), "python", id="one line of 10 MB"),
        pytest.param("a\r\nb = \r\n", types.Position(1, 4), "python", id="CRLF"),
        pytest.param("a = '\U0001f600'\nb = ", types.Position(1, 4), "python", id="emoji"),
        pytest.param("x = \ud83d", types.Position(0, 5), "python", id="half an emoji"),
        pytest.param("\x00\x01\x02\ufffd", types.Position(0, 3), "python", id="not text"),
        pytest.param("once upon a ", types.Position(0, 12), "klingon", id="unknown language"),
        pytest.param("<|fim_middle|><bos>", types.Position(0, 19), "python", id="special tokens"),
        pytest.param("\t\t\n" * 2000, types.Position(1500, 2), "go", id="blank"),
        pytest.param("((((" * 5000, types.Position(0, 20000), "javascript", id="never closed"),
    ],
)
async def test_odd_documents_are_answered_and_the_server_goes_on(
    text: str, position: types.Position, language: str
) -> None:
    async with serving(OPTIONS) as client:
        client.open(text, language)
        answer = await asyncio.wait_for(client.request(position, "odd", explicit=True), 30)
        line = min(position.line, client.document.line_count - 1)
        for item in answer.items:
            check_item(client, item, line)
        assert "failed" not in client.completed[-1].reason
        client.edit(Edit(Span(0, len(client.document.text)), "def add(a, b):\n    return "))
        await client.complete(len(client.document.text), explicit=True)
        assert client.completed[-1].origin == "model"


async def test_requests_that_make_no_sense_get_an_answer() -> None:
    async with serving(OPTIONS) as client:
        assert await client.complete(0) == []
        client.cancel_request(types.CancelParams(id="never sent"))
        with pytest.raises(JsonRpcException):
            await client.protocol.send_request_async("codegemma/noSuchMethod", {})
        with pytest.raises(JsonRpcException):
            await client.workspace_execute_command_async(types.ExecuteCommandParams("no.such.command"))
        client.protocol.notify("codegemma/noSuchNotification", {})
        malformed: Future[object] = Future()
        client.protocol._request_futures["malformed"] = malformed
        request = {"jsonrpc": "2.0", "id": "malformed", "method": "textDocument/inlineCompletion", "params": {"x": 1}}
        client.protocol._send_data(request)
        with pytest.raises(JsonRpcException):
            await asyncio.wait_for(asyncio.wrap_future(malformed), 10)
        change = types.TextDocumentContentChangeWholeDocument(text="x")
        identifier = types.VersionedTextDocumentIdentifier(3, "file:///never/opened.py")
        client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        client.open("x = ")
        await client.complete(4, explicit=True)
        accept = types.ExecuteCommandParams("codegemma.accept", ["some-id"])
        assert await client.workspace_execute_command_async(accept) is None
        client.protocol.notify("textDocument/didShowCompletion", {"item": {"insertText": "x"}})
        client.protocol.notify("textDocument/didPartiallyAcceptCompletion", {"item": {}, "acceptedLength": 1})
        assert await same_text(client)


async def test_full_sync_and_closing() -> None:
    async with serving(OPTIONS) as client:
        client.open("x = 1\n")
        change = types.TextDocumentContentChangeWholeDocument(text="y = 2\r\n")
        identifier = types.VersionedTextDocumentIdentifier(2, client.document.uri)
        client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        client.document = client.document.with_text("y = 2\r\n", 2)
        assert await same_text(client)
        running = client.request(types.Position(0, 5), "running", explicit=True)
        closed = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(client.document.uri))
        client.text_document_did_close(closed)
        assert not (await running).items
        assert await client.complete(0) == []


async def test_the_selected_entry_of_the_list_is_extended() -> None:
    text = CLASS
    async with serving(OPTIONS) as client:
        client.open(text)
        selected = types.SelectedCompletionInfo(
            types.Range(client.position(len(text) - 3), client.position(len(text))), "value"
        )
        items = await client.complete(len(text), explicit=True, selected=selected)
        assert items
        for item in items:
            assert str(item.insert_text).startswith("value")
            assert item.range == selected.range


async def test_nothing_of_the_source_is_logged_and_nothing_else_is_on_stdout(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = f"exec '{sys.executable}' -m codegemma_lsp serve --log-level info 2>'{log}'"
    async with serving(OPTIONS, command=("sh", "-c", command)) as client:
        client.open("secret_word = 'hunter2'\nsecret_")
        await client.complete(len(client.document.text), explicit=True)
        malformed = {"jsonrpc": "2.0", "params": {"secret_word": "hunter2"}}
        client.protocol._send_data({**malformed, "method": "textDocument/inlineCompletion", "id": "odd"})
        client.protocol._send_data({**malformed, "method": "textDocument/didChange"})
        await client.complete(4, explicit=True)
    assert "hunter2" not in log.read_text()
    assert "secret_" not in log.read_text()


async def test_progress_begins_before_it_reports_and_ends_once() -> None:
    """Also with a client that takes its time, or refuses the token."""

    async def slowly(*params: object) -> None:
        await asyncio.sleep(1)

    def refuse(*params: object) -> None:
        raise JsonRpcException("no")

    async def at_once(*params: object) -> None: ...

    expected: list[tuple[Callable[..., Any], tuple[bool, ...]]] = [
        (at_once, (True,)),
        (slowly, (True, False)),  # who takes longer than the loading hears nothing
        (refuse, (False,)),
    ]
    for handler, heard in expected:
        client = Client()
        client.protocol.fm.features.pop(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        client.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)(handler)
        async with serving(OPTIONS, client=client):
            await asyncio.sleep(1.2)
            kinds = [value["kind"] for value in client.loading]
            assert bool(kinds) in heard
            assert not kinds or kinds == ["begin", *["report"] * (len(kinds) - 2), "end"]


async def test_after_shutdown_requests_are_refused() -> None:
    async with serving(OPTIONS) as client:
        client.open("x = ")
        await client.shutdown_async(None)
        with pytest.raises(JsonRpcException, match="shutting down"):
            await asyncio.wait_for(client.request(types.Position(0, 4), "late"), 10)


async def test_leaving_without_shutdown_is_an_error() -> None:
    client = Client()
    await client.start_io(sys.executable, "-m", "codegemma_lsp", "serve")
    await client.initialize_async(types.InitializeParams(types.ClientCapabilities()))
    client.exit(None)
    async with asyncio.timeout(10):
        while client.crashed is None:
            await asyncio.sleep(0.01)
    await client.stop()  # type: ignore[no-untyped-call]
    assert client.crashed == 1


def test_nothing_is_kept_of_a_notification() -> None:
    """pygls keeps a future for each notification whose handler is a generator."""
    for name in ("did_open", "did_change", "did_close"):
        assert not inspect.isgeneratorfunction(getattr(Protocol, f"lsp_text_document__{name}"))


async def test_asked_by_hand_there_are_others_to_choose_from() -> None:
    """Each as safe as the first, none twice; typing one of them is answered without the model."""
    text = SOURCE[: SOURCE.index("def edges(")] + "def edges(values):\n    for value in "
    async with serving({**OPTIONS, "alternatives": 3}) as client:
        client.open(text)
        automatic = await client.complete(len(text))
        items = await client.complete(len(text), explicit=True)
        assert len(automatic) <= 1
        assert 2 <= len(items) <= 4
        assert len({str(item.insert_text) for item in items}) == len(items)
        for item in items:
            check_item(client, item, client.document.line_at(len(text)))
        *before, other = (str(item.insert_text) for item in items)
        typed = next(n for n in range(1, len(other)) if not any(one.startswith(other[:n]) for one in before))
        client.type(len(text), other[:typed])
        (rest,) = await client.complete(len(text) + typed)
        assert str(rest.insert_text) == other[typed:]
        assert client.completed[-1].origin == "reuse"
