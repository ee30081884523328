"""The chat model of a session: loaded once whoever waits for it, let go when idle, and one sentence where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from codegemma_lsp import engines
from codegemma_lsp.chat import Action, Proposal, RequestRefused, Target
from codegemma_lsp.chat.write_tests import Project, write_tests
from codegemma_lsp.document import NOT_OPEN, Document, Edit, Encoding, Span
from codegemma_lsp.engines.protocol import EngineUnavailable
from codegemma_lsp.server import conversions
from codegemma_lsp.session.conversations import Conversations
from codegemma_lsp.settings import Settings
from tests.scripted import ScriptedEngine

SETTINGS = Settings(chat_model="nano", threads=1, chat_max_tokens=20)


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


async def test_cancelling_while_it_loads_loses_no_model(slow_loads: list[Any]) -> None:
    conversations = Conversations(lambda: SETTINGS, dict)

    def asked() -> asyncio.Task[Any]:
        conversation = conversations.store.find(None)
        return asyncio.create_task(conversations.chat(conversation, "Hello", [], None, lambda _: None))

    first, second = asked(), asked()
    await asyncio.sleep(0.1)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    answer = await asked()
    assert len(slow_loads) == 1
    assert conversations.manager.engine is slow_loads[0]
    assert answer.text is not None
    await conversations.shut_down()
    with pytest.raises(EngineUnavailable, match="shutting down"):
        await asked()


async def test_a_conversation_is_free_again_after_a_cancel() -> None:
    conversations = Conversations(lambda: SETTINGS, dict)
    conversation = conversations.store.find(None)
    for delay in (0.0, 0.05, 0.3):
        task = asyncio.create_task(conversations.chat(conversation, "Hello", [], None, lambda _: None))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not conversation.busy
    assert len(conversation.messages) % 2 == 0
    await conversations.shut_down()


def test_questions_that_came_to_nothing_do_not_push_others_out() -> None:
    store = Conversations(lambda: SETTINGS, dict).store
    kept = store.find(None)
    kept.add("Why?", "Because.")
    for _ in range(200):
        store.find(None)
    assert store.find(kept.id) is kept


def proposal(version: int = 3, creates: bool = False) -> Proposal:
    document = Document("file:///w/a.py", "x = 1\n", "python", version)
    return Proposal(document, Span(0, 5), "y = 1", (Edit(Span(0, 1), "y"),), "rename", creates)


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
    document = Document("untitled:Untitled-1", "def f():\n    return 1\n", "python", 1)
    target = Target(document, Span(10, 10), "Untitled-1")
    with pytest.raises(RequestRefused, match="save it"):
        await write_tests(target, Project(Path("/"), lambda _: None), ScriptedEngine("x"), SETTINGS, lambda _: None)


async def test_tests_never_go_outside_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "w" / "tests").symlink_to(tmp_path / "elsewhere")
    document = Document((tmp_path / "w" / "a.py").as_uri(), "def f():\n    return 1\n", "python", 1)
    conversations = Conversations(lambda: SETTINGS, lambda: {document.uri: document})
    conversations.folders = (tmp_path / "w",)
    target = Target(document, Span(10, 10), "a.py")
    read = conversations._project(document).read
    with pytest.raises(RequestRefused, match="outside"):
        read(tmp_path / "w" / "tests" / "test_a.py")
    engine = ScriptedEngine("def test_f():\n    assert f() == 1\n```")
    made = await write_tests(target, conversations._project(document), engine, SETTINGS, lambda _: None)
    assert made.document.uri == (tmp_path / "w" / "test_a.py").as_uri()
    assert made.creates
    assert Action.TESTS in Action
