"""A session that is quiet after a deletion, in an untouched file and where something was dismissed, and never if it is
asked."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from codegemma_lsp.completion import Origin, Outcome, Query, Silence
from codegemma_lsp.document import Change, Document, Edit, Span
from codegemma_lsp.session import moments
from codegemma_lsp.session.session import Session
from tests.scripted import ScriptedEngine

TEXT = "width = 1\narea = \nprint(area)\n"
CURSOR = TEXT.index("area = ") + len("area = ")


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a disk waited for as long as a busy machine takes."""
    monkeypatch.setattr(moments, "_PATIENCE_S", 30.0)


class Typist:
    """A document in a session whose model always says the same."""

    def __init__(self, session: Session, uri: str) -> None:
        self.session, self.uri, self.cursor = session, uri, CURSOR

    @property
    def document(self) -> Document:
        return self.session.documents[self.uri]

    def edit(self, *edits: Edit) -> None:
        """Edits in one notification. The cursor is behind the last one."""
        document, changes = self.document, []
        for edit in edits:
            after = document.with_edit(edit, document.version + 1)
            changes.append(Change(before=document, edit=edit, after=after))
            document, self.cursor = after, edit.span.start + len(edit.text)
        self.session.change(document, changes)

    def type(self, text: str) -> None:
        self.edit(Edit(Span(self.cursor, self.cursor), text))

    def delete(self, count: int = 1) -> None:
        self.edit(Edit(Span(self.cursor - count, self.cursor), ""))

    def undo(self, text: str) -> None:
        """Takes back what was inserted at the cursor's left."""
        self.delete(len(text))

    async def outcome(self, *, explicit: bool = False) -> Outcome:
        query = Query(document=self.document, offset=self.cursor, path="a.py", explicit=explicit)
        return await self.session.complete(query)

    async def sees(self, *, explicit: bool = False) -> str:
        """What is suggested, or why nothing is."""
        outcome = await self.outcome(explicit=explicit)
        return outcome.reason if outcome.suggestion is None else outcome.suggestion.text


@asynccontextmanager
async def typist(text: str = TEXT, uri: str = "file:///a.py", said: str = "width * 2") -> AsyncIterator[Typist]:
    session = Session(lambda status: None)
    session.manager.engine = ScriptedEngine(said)
    session.configure({"prefetch": False, "warmUp": False, "alternatives": 0})
    session.open(Document(uri=uri, text=text, language="python"))
    yield Typist(session, uri)
    await session.shut_down()


async def test_nothing_after_a_deletion_until_something_is_typed() -> None:
    async with typist() as user:
        user.type(" ")
        assert await user.sees() == "width * 2"
        user.type("w")
        assert await user.sees() == "idth * 2"
        user.delete()
        assert (await user.outcome()).origin is Origin.QUIET
        assert await user.sees() == Silence.DELETED
        assert await user.sees(explicit=True) == "width * 2"
        user.type("w")
        assert await user.sees() == "idth * 2"


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([Edit(Span(CURSOR - 2, CURSOR), "= ")], id="the same text again"),
        pytest.param([Edit(Span(CURSOR - 1, CURSOR), "  ")], id="a formatter's edit"),
        pytest.param([Edit(Span(0, 1), ""), Edit(Span(CURSOR - 1, CURSOR - 1), " ")], id="one of a formatter's edits"),
        pytest.param([Edit(Span(CURSOR, CURSOR), "()"), Edit(Span(CURSOR + 2, CURSOR + 2), "")], id="closed brackets"),
    ],
)
async def test_a_deletion_in_a_replacement_is_none(edits: list[Edit]) -> None:
    async with typist() as user:
        user.edit(*edits)
        assert (await user.outcome()).origin is not Origin.QUIET


async def test_a_deletion_in_another_line_is_none_of_this_place() -> None:
    async with typist() as user:
        user.edit(Edit(Span(0, 1), ""))
        user.cursor = CURSOR - 1
        assert await user.sees() == "width * 2"


async def test_nothing_in_an_untouched_file(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(TEXT.encode())
    async with typist(uri=path.as_uri()) as user:
        assert await user.sees() == Silence.UNTOUCHED
        assert await user.sees(explicit=True) == "width * 2"
        user.type(" ")
        assert await user.sees() == "width * 2"


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        pytest.param(TEXT.replace("area = ", "area ="), "width * 2", id="another text was saved"),
        pytest.param(None, "width * 2", id="the file does not exist"),
        pytest.param(TEXT.replace("\n", "\r\n"), Silence.UNTOUCHED, id="other line ends"),
        pytest.param("\ufeff" + TEXT, Silence.UNTOUCHED, id="a byte order mark"),
        pytest.param(TEXT.rstrip("\n"), Silence.UNTOUCHED, id="without the last line end"),
    ],
)
async def test_what_was_typed_before_the_server_was_there(tmp_path: Path, saved: str | None, expected: str) -> None:
    """A document that is not as its file was changed before, as by somebody who typed while the server started."""
    path = tmp_path / "a.py"
    if saved is not None:
        path.write_bytes(saved.encode())
    async with typist(uri=path.as_uri()) as user:
        assert await user.sees() == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
async def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    os.mkfifo(path)
    async with typist(uri=path.as_uri()) as user:
        assert await user.sees() == "width * 2"


async def test_a_disk_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(moments, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(moments, "_differs", lambda path, text: not go_on.wait(30))
    async with typist() as user:
        assert await user.sees() == "width * 2"
        go_on.set()


async def test_what_was_dismissed_is_not_shown_again_at_the_same_place() -> None:
    async with typist() as user:
        user.type(" ")
        shown = (await user.outcome()).suggestion
        assert shown is not None
        user.session.dismiss(shown.id)
        assert await user.sees() == Silence.DISMISSED
        assert await user.sees(explicit=True) == "width * 2"
        user.type("wid")
        assert await user.sees() == Silence.DISMISSED
        assert user.session.state()["counts"]["dismissed"] == 1


async def test_it_is_shown_at_another_place() -> None:
    async with typist() as user:
        user.type(" ")
        shown = (await user.outcome()).suggestion
        assert shown is not None
        user.session.dismiss(shown.id)
        user.edit(Edit(Span(0, 1), "W"))
        user.cursor = CURSOR + 1
        assert await user.sees() == "width * 2"


async def test_a_dismissal_holds_for_ten_minutes() -> None:
    now = 0.0
    async with typist() as user:
        user.session.completions.moments._clock = lambda: now
        user.type(" ")
        shown = (await user.outcome()).suggestion
        assert shown is not None
        user.session.dismiss(shown.id)
        now = 599.0
        assert await user.sees() == Silence.DISMISSED
        now = 601.0
        assert await user.sees() == "width * 2"


async def test_what_was_accepted_and_undone_is_dismissed() -> None:
    async with typist() as user:
        user.type(" ")
        shown = (await user.outcome()).suggestion
        assert shown is not None
        user.type(shown.text)
        user.session.accept(shown.id)
        user.undo(shown.text)
        assert await user.sees() == Silence.DELETED
        user.type("w")
        assert await user.sees() == Silence.DISMISSED


async def test_an_acceptance_is_a_change_after_which_there_is_more(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(TEXT.encode())
    async with typist(uri=path.as_uri()) as user:
        shown = (await user.outcome(explicit=True)).suggestion
        assert shown is not None
        user.type(shown.text)
        user.session.accept(shown.id)
        assert (await user.outcome()).origin is Origin.MODEL


async def test_ids_that_are_unknown_change_nothing() -> None:
    async with typist() as user:
        user.type(" ")
        user.session.dismiss("unknown")
        user.session.accept("unknown")
        assert await user.sees() == "width * 2"


async def test_what_is_dismissed_grows_no_more() -> None:
    async with typist() as user:
        user.type(" ")
        shown = (await user.outcome()).suggestion
        assert shown is not None
        user.session.dismiss(shown.id)
        assert not user.session.completions._on_screen
