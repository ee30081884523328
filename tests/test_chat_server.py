"""Chat and edits over the real server, with the small instruct model that a package carries."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codegemma_lsp.document import Edit, Position, Span
from codegemma_lsp.models.packaged import NotPackaged, packaged_path
from tests.client import REQUEST_CANCELLED, Client, serving

try:
    MODEL = str(packaged_path("smollm2-135m"))
except NotPackaged as error:
    pytest.skip(str(error), allow_module_level=True)

SOURCE = """import math


def area(radius, precise=True):
    if precise:
        return math.pi * radius ** 2
    result = 3 * radius * radius
    return result


def total(items):
    amount = 0
    for item in items:
        amount += item.price
    return amount
"""
OPTIONS = {"chatMaxTokens": 48, "threads": 1, "reportCompletions": True, "minConfidence": -9, "answerWithinMs": 0}
LONG = "Tell a long story about a compiler, with many details."
CONTENT_MODIFIED, REQUEST_FAILED, INVALID_PARAMS = -32801, -32803, -32602


class ChatClient(Client):
    """``partial``: the pieces of text that came for each token. ``answer_to``: what the user does with an offer."""

    def __init__(self) -> None:
        super().__init__()
        self.partial: dict[Any, list[str]] = {}
        self.asked: list[Any] = []
        self.applied: list[types.WorkspaceEdit] = []
        self.accept = True
        self.before_answer: Callable[[], None] = lambda: None
        self.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)(lambda params: self._on_offer(params))
        self.feature(types.WORKSPACE_APPLY_EDIT)(lambda params: self._on_apply(params))

    def on_progress(self, params: Any) -> None:
        text = params.value.get("text") if isinstance(params.value, dict) else None
        if text is not None:
            self.partial.setdefault(params.token, []).append(text)
        else:
            self.loading.append(params.value)

    def _on_offer(self, params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        self.asked.append(params.message)
        self.before_answer()
        return types.MessageActionItem("Apply" if self.accept else "Discard")

    def _on_apply(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        self.applied.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    def send(self, method: str, params: Any, msg_id: str = "") -> asyncio.Future[Any]:
        sent = self.protocol.send_request_async(method, params, msg_id=msg_id or f"{method}-{time.monotonic_ns()}")
        future: asyncio.Future[Any] = asyncio.ensure_future(sent)
        return future

    async def chat(self, text: str, **more: Any) -> Any:
        return await self.send("codegemma/chat", {"text": text, **more})

    def selection(self, text: str) -> dict[str, Any]:
        start = self.document.text.index(text)
        return {"uri": self.document.uri, "range": self.range(Span(start, start + len(text)))}

    def range(self, span: Span) -> dict[str, Any]:
        ends = [self.position(offset) for offset in (span.start, span.end)]
        start, end = ({"line": p.line, "character": p.character} for p in ends)
        return {"start": start, "end": end}

    async def failure(self, request: asyncio.Future[Any]) -> JsonRpcException:
        with pytest.raises(JsonRpcException) as caught:
            await request
        return caught.value


def as_plain(value: Any) -> Any:
    """An answer of a method that LSP does not have, which pygls's client turns into named tuples."""
    if hasattr(value, "_asdict"):
        return {key: as_plain(inner) for key, inner in value._asdict().items()}
    return [as_plain(inner) for inner in value] if isinstance(value, list) else value


def capabilities(confirming: bool) -> types.ClientCapabilities:
    support = types.ChangeAnnotationsSupportOptions() if confirming else None
    edit = types.WorkspaceEditClientCapabilities(document_changes=True, change_annotation_support=support)
    return types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(apply_edit=True, workspace_edit=edit),
        window=types.WindowClientCapabilities(work_done_progress=True),
    )


def chatting(confirming: bool = False, **options: Any) -> Any:
    return serving({**OPTIONS, **options}, client=ChatClient(), capabilities=capabilities(confirming))


async def test_an_answer_is_streamed_in_order_and_a_conversation_goes_on() -> None:
    async with chatting() as client:
        first = as_plain(await client.chat("What is a prime number?", partialResultToken="t1"))
        assert first["text"].strip()
        assert "".join(client.partial["t1"]) == first["text"]
        assert len(client.partial["t1"]) > 5
        assert "SmolLM2" in first["note"]
        assert not first["complete"]  # chatMaxTokens is small
        id_ = first["conversationId"]
        second = as_plain(await client.chat("Name one.", conversationId=id_, partialResultToken=7))
        assert second["conversationId"] == id_
        assert second["note"] == ""
        assert "".join(client.partial[7]) == second["text"]
        state = as_plain(await client.send("codegemma/state", None))
        # The second question reads itself and not the conversation again.
        assert state["chat"]["usage"]["cached_tokens"] > 20


async def test_a_conversation_that_the_client_kept_goes_on() -> None:
    async with chatting() as client:
        first = as_plain(await client.chat("What is a list?"))
        known = as_plain(await client.chat("And a tuple?", conversationId=first["conversationId"]))
        history = [{"question": "What is a list?", "answer": first["text"]}]
        kept = as_plain(await client.chat("And a tuple?", history=history))
        assert kept["text"] == known["text"] != as_plain(await client.chat("And a tuple?"))["text"]
        assert kept["conversationId"] != first["conversationId"]


async def test_cancelling_a_chat_stops_the_model() -> None:
    async with chatting(chatMaxTokens=2000) as client:
        asked = client.send(
            "codegemma/chat",
            {"text": LONG, "partialResultToken": 1},
            "long",
        )
        async with asyncio.timeout(20):
            while len(client.partial.get(1, [])) < 5:
                await asyncio.sleep(0.01)
        client.cancel_request(types.CancelParams(id="long"))
        failed = await client.failure(asked)
        assert failed.code == REQUEST_CANCELLED
        async with asyncio.timeout(5):
            while not (state := as_plain(await client.send("codegemma/state", None)))["chat"]["idle"]:
                await asyncio.sleep(0.01)
        generated = state["chat"]["usage"]["completion_tokens"]
        await asyncio.sleep(0.2)
        assert as_plain(await client.send("codegemma/state", None))["chat"]["usage"]["completion_tokens"] == generated
        assert state["chat"]["usage"]["prefill_tokens_after_cancel"] == 0


async def test_a_completion_during_a_chat_is_answered_first() -> None:
    async with chatting(chatMaxTokens=300) as client:
        client.open(SOURCE)
        asked = client.send(
            "codegemma/chat",
            {"text": LONG, "partialResultToken": 1},
            "long",
        )
        async with asyncio.timeout(20):
            while len(client.partial.get(1, [])) < 3:
                await asyncio.sleep(0.01)
        at = SOURCE.index("    amount = 0") + len("    amount = 0\n")
        client.type(at, "    x")
        await client.complete(at + 5)
        assert not asked.done()
        assert client.completed
        client.cancel_request(types.CancelParams(id="long"))
        assert (await client.failure(asked)).code == REQUEST_CANCELLED


@pytest.mark.parametrize("action", ["fix", "edit", "doc"])
async def test_an_edit_is_offered_and_changes_its_region_only(action: str) -> None:
    text = SOURCE.replace("\n", "\r\n").replace("math.pi", "math.pi + len('\U0001f9f9')")
    async with chatting(chatMaxTokens=300) as client:
        client.open(text)
        start = text.index("    result")
        ask = {
            **client.selection("    result = 3 * radius * radius\r\n    return result"),
            "action": action,
            "instruction": "Rename result to outcome.",
            "diagnostics": ["result is unclear"],
            "partialResultToken": "e",
        }
        answer: Any = (await asyncio.gather(client.send("codegemma/edit", ask), return_exceptions=True))[0]
        if isinstance(answer, JsonRpcException):
            assert answer.code == REQUEST_FAILED
            assert answer.message.endswith(".")
            pytest.skip(f"the small model made nothing of it: {answer.message}")
        found = as_plain(answer)
        edits = found["edit"]["documentChanges"][0]["edits"]
        assert found["edit"]["documentChanges"][0]["textDocument"]["version"] == client.document.version
        assert "".join(client.partial["e"]).strip()
        after = client.document
        for edit in reversed(edits):
            ends = [after.offset(Position(**edit["range"][end]), client.encoding) for end in ("start", "end")]
            after = after.with_edit(Edit(Span(*ends), edit["newText"]))
        assert after.text != text
        head = text.index("    if precise") if action == "doc" else start
        assert after.text.startswith(text[:head])
        assert after.text.endswith(text[text.index("\r\n\r\n\r\ndef total") :])
        assert after.text.count("\n") == after.text.count("\r\n")
        assert not client.applied


async def edited(client: ChatClient, command: str, **more: Any) -> Any:
    argument = {**client.selection("    result = 3"), "instruction": "Rename result to outcome.", **more}
    params = types.ExecuteCommandParams(command, [argument])
    return as_plain(await client.workspace_execute_command_async(params))


@pytest.mark.parametrize("accept", [True, False])
async def test_a_client_that_cannot_confirm_is_asked_in_a_message(accept: bool) -> None:
    async with chatting(chatMaxTokens=200) as client:
        client.open(SOURCE)
        client.accept = accept
        answer = await edited(client, "codegemma.doc")
        assert answer["applied"] is accept
        assert len(client.applied) == accept
        assert '+    """' in client.asked[0]


async def test_a_client_that_can_confirm_gets_an_annotated_edit() -> None:
    async with chatting(confirming=True, chatMaxTokens=200) as client:
        client.open(SOURCE)
        assert (await edited(client, "codegemma.doc"))["applied"]
        assert not client.asked
        (edit,) = client.applied
        assert edit.change_annotations
        assert all(annotation.needs_confirmation for annotation in edit.change_annotations.values())
        (change,) = edit.document_changes or []
        assert isinstance(change, types.TextDocumentEdit)
        assert change.text_document.version == 1
        assert change.edits
        assert all(isinstance(e, types.AnnotatedTextEdit) and e.annotation_id for e in change.edits)


async def test_a_document_that_changed_meanwhile_is_left_alone() -> None:
    async with chatting(chatMaxTokens=200) as client:
        client.open(SOURCE)
        old = client.document.version
        request = client.send("codegemma/edit", {**client.selection("result = 3"), "action": "doc"})
        await asyncio.sleep(0.05)
        client.type(0, "# new\n")
        failed = await client.failure(request)
        assert failed.code == CONTENT_MODIFIED
        assert "changed" in failed.message
        late = client.send("codegemma/edit", {**client.selection("result = 3"), "action": "doc", "version": old})
        assert (await client.failure(late)).code == CONTENT_MODIFIED
        # While the user looks at what is offered, too.
        client.before_answer = lambda: client.type(0, "# newer\n")
        params = types.ExecuteCommandParams("codegemma.doc", [client.selection("result = 3")])
        failed = await client.failure(client.workspace_execute_command_async(params))
        assert failed.code == CONTENT_MODIFIED
        assert not client.applied


async def test_cancelling_a_command_reaches_the_model() -> None:
    async with chatting(chatMaxTokens=2000) as client:
        client.open(SOURCE)
        argument = {**client.selection("result = 3"), "instruction": "Tell a long story.", "partialResultToken": "p"}
        params = types.ExecuteCommandParams("codegemma.explain", [argument])
        request = client.send(types.WORKSPACE_EXECUTE_COMMAND, params, "command")
        async with asyncio.timeout(20):
            while len(client.partial.get("p", [])) < 3:
                await asyncio.sleep(0.01)
        client.cancel_request(types.CancelParams(id="command"))
        assert (await client.failure(request)).code == REQUEST_CANCELLED
        async with asyncio.timeout(5):
            while not as_plain(await client.send("codegemma/state", None))["chat"]["idle"]:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "params", "code", "said"),
    [
        ("codegemma/chat", {}, INVALID_PARAMS, "text"),
        ("codegemma/chat", None, INVALID_PARAMS, "text"),
        ("codegemma/chat", {"text": "  "}, REQUEST_FAILED, "empty"),
        ("codegemma/chat", {"text": "hi", "conversationId": "no"}, REQUEST_FAILED, "not known"),
        ("codegemma/chat", {"text": "/bogus"}, REQUEST_FAILED, "/explain"),
        ("codegemma/chat", {"text": "/explain"}, REQUEST_FAILED, "select"),
        ("codegemma/chat", {"text": "look at #file:nothing.py"}, REQUEST_FAILED, "nothing.py"),
        ("codegemma/chat", {"text": "hi", "references": [{}]}, INVALID_PARAMS, "reference"),
        ("codegemma/chat", {"text": "hi", "references": [{"symbol": "nobody"}]}, REQUEST_FAILED, "nobody"),
        ("codegemma/chat", {"text": "word " * 9000}, REQUEST_FAILED, "chatContextTokens"),
        ("codegemma/edit", {"uri": "file:///x"}, INVALID_PARAMS, "range"),
        ("codegemma/edit", {"uri": "file:///x.py", "range": [1]}, INVALID_PARAMS, "range"),
    ],
)
async def test_what_cannot_be_met_is_one_sentence(method: str, params: Any, code: int, said: str) -> None:
    async with chatting() as client:
        failed = await client.failure(client.send(method, params))
        assert failed.code == code
        assert said in failed.message
        assert failed.message.endswith(".")
        assert as_plain(await client.send("codegemma/state", None))["documents"] == []


async def test_edits_that_cannot_be_made_are_one_sentence() -> None:
    async with chatting(chatMaxTokens=16) as client:
        client.open(SOURCE + "\nx = 1\n")
        zero = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 9}}
        for ask, said in (
            ({**client.selection("result = 3"), "action": "edit"}, "instruction"),
            ({**client.selection("result = 3"), "action": "explain"}, "no action"),
            ({**client.selection("x = 1"), "action": "doc"}, "no function"),
            ({"uri": client.document.uri, "range": zero, "instruction": "shorter"}, "chatMaxTokens"),
            ({"uri": "file:///other.py", "range": zero, "instruction": "shorter"}, "not open"),
        ):
            assert said in (await client.failure(client.send("codegemma/edit", ask))).message


async def test_code_actions_by_kind_and_diagnostics() -> None:
    async with chatting() as client:
        client.open(SOURCE)
        range_ = types.Range(types.Position(6, 4), types.Position(6, 10))
        problem = types.Diagnostic(range_, "unused")

        async def offered(
            only: list[str] | None = None,
            *diagnostics: types.Diagnostic,
            trigger: types.CodeActionTriggerKind | None = None,
        ) -> list[str]:
            context = types.CodeActionContext(list(diagnostics), only=only, trigger_kind=trigger)
            document = types.TextDocumentIdentifier(client.document.uri)
            found = await client.text_document_code_action_async(types.CodeActionParams(document, range_, context))
            # lsprotocol takes a code action with a command for a command, and its command for a text.
            return sorted(re.findall(r"codegemma\.\w+", str([action.command for action in found or []])))

        assert await offered() == ["codegemma.doc", "codegemma.explain", "codegemma.tests"]
        assert "codegemma.fix" in await offered(None, problem)
        assert await offered(["quickfix"], problem) == ["codegemma.fix"]
        assert await offered(["refactor"]) == ["codegemma.doc"]
        assert await offered(["source.organizeImports"]) == []
        by_itself = types.CodeActionTriggerKind.Automatic
        assert await offered(trigger=by_itself) == []
        assert await offered(None, problem, trigger=by_itself) == ["codegemma.fix"]


async def test_files_by_name_follow_the_workspaces_ignore_rules(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("built/\n")
    (tmp_path / "built").mkdir()
    for name in ("a.py", "built/b.py", ".env"):
        (tmp_path / name).write_text("secret = 1\n")
    (tmp_path.parent / "outside.py").write_text("")
    async with chatting() as client:
        folders = types.WorkspaceFoldersChangeEvent([types.WorkspaceFolder(tmp_path.as_uri(), "w")], [])
        client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(folders))
        assert as_plain(await client.chat("What is in #file:a.py?"))["text"]
        for name, said in (("built/b.py", "ignored"), (".env", "secret"), ("../outside.py", "outside")):
            assert said in (await client.failure(client.chat(f"What is in #file:{name}?"))).message


async def test_the_chat_model_is_loaded_with_progress_and_unloaded_when_idle() -> None:
    async with chatting(chatIdleMinutes=0.005) as client:
        loaded = len(client.loading)
        await client.chat("Hello")
        assert "SmolLM2" in str(client.loading[loaded:])
        async with asyncio.timeout(10):
            while as_plain(await client.send("codegemma/state", None))["chat"] is not None:
                await asyncio.sleep(0.05)
        assert as_plain(await client.chat("Hello again"))["text"]


async def test_a_chat_model_that_is_not_there_is_one_sentence() -> None:
    async with chatting(chatModel="/nowhere/model.gguf") as client:
        failed = await client.failure(client.chat("Hello"))
        assert "/nowhere/model.gguf" in failed.message
        assert "chatModel" in failed.message


async def test_every_command_does_its_work_and_says_it_or_a_sentence(tmp_path: Path) -> None:
    """In a repository with something staged; what the model writes is not judged."""
    (tmp_path / "shapes.py").write_text(SOURCE)
    for arguments in (["init", "-q"], ["add", "."]):
        await (await asyncio.create_subprocess_exec("git", *arguments, cwd=tmp_path)).wait()
    capable = capabilities(confirming=True)
    assert capable.workspace is not None
    assert capable.workspace.workspace_edit is not None
    capable.workspace.workspace_edit.resource_operations = [types.ResourceOperationKind.Create]
    async with serving({**OPTIONS, "chatMaxTokens": 200}, client=(client := ChatClient()), capabilities=capable):
        folders = types.WorkspaceFoldersChangeEvent([types.WorkspaceFolder(tmp_path.as_uri(), "w")], [])
        client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(folders))
        client.open(SOURCE, uri=(tmp_path / "shapes.py").as_uri())
        argument = {**client.selection("    result = 3"), "instruction": "Shorten it.", "diagnostics": ["unclear"]}
        done = []
        for action in ("explain", "fix", "doc", "tests", "edit"):
            params = types.ExecuteCommandParams(f"codegemma.{action}", [argument])
            answer = (await asyncio.gather(client.workspace_execute_command_async(params), return_exceptions=True))[0]
            if isinstance(answer, JsonRpcException):
                assert answer.code == REQUEST_FAILED
                assert answer.message.endswith(".")
            else:
                done.append(action)
                assert as_plain(answer)["text"].strip()
        assert {"explain", "doc"} <= set(done)
        assert len(client.applied) == len(set(done) - {"explain"})
        for edit in client.applied:
            for change in edit.document_changes or ():
                if isinstance(change, types.CreateFile):
                    assert change.uri == (tmp_path / "test_shapes.py").as_uri()
        params = types.ExecuteCommandParams("codegemma.commit", [tmp_path.as_uri()])
        message = as_plain(await client.workspace_execute_command_async(params))
        assert message["text"].strip()
        assert (tmp_path / "shapes.py").read_text() == SOURCE


@pytest.mark.parametrize("command", ["/doc", "/fix the name", "/edit shorten it"])
async def test_slash_commands_in_a_chat_come_with_an_edit(command: str) -> None:
    async with chatting(chatMaxTokens=200) as client:
        client.open(SOURCE)
        chat = client.chat(command, selection=client.selection("    result = 3"))
        answer = (await asyncio.gather(chat, return_exceptions=True))[0]
        if isinstance(answer, JsonRpcException):
            assert command != "/doc", answer.message
            assert answer.message.endswith(".")
            return
        found = as_plain(answer)
        assert found["edit"]["edit"]["documentChanges"]
        assert found["text"].startswith("```")
        assert not client.applied
