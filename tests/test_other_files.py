"""Pieces of other files in the prompts of a session: when they come, and that typing never waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from pygls.exceptions import JsonRpcException

from codegemma_lsp.completion import Query
from codegemma_lsp.context import CursorInFile, DiskFiles, Files, Kind, Piece, Workspace
from codegemma_lsp.context.definitions import imported_definitions
from codegemma_lsp.document import Change, Document, Edit, Span, file_path
from codegemma_lsp.session.other_files import OtherFiles, Place
from codegemma_lsp.session.recent_edits import RecentEdits
from codegemma_lsp.session.session import Session
from tests.client import serving
from tests.traced import SOURCE

URI = "file:///shop/till.py"
TEXT = SOURCE[:3000]


class NoFiles:
    def read(self, path: str) -> str | None:
        return None

    def exists(self, path: str) -> bool:
        return False

    def folder(self, path: str) -> tuple[str, ...]:
        return ()


@dataclass
class ScriptedSource:
    """Finds one piece, if ``text`` says what is in it."""

    text: str = ""
    asked: list[CursorInFile] = field(default_factory=list)

    def __call__(self, cursor: CursorInFile, files: Files) -> Iterator[Piece]:
        self.asked.append(cursor)
        if self.text:
            yield Piece(path="prices.py", text=self.text, kind=Kind.DEFINITION, reason="defines price", value=0.9)


@asynccontextmanager
async def session_with(source: ScriptedSource, text: str = TEXT, **how: object) -> AsyncIterator[Session]:
    session = Session(lambda status: None)
    settings = {"threads": 1, "minConfidence": -9, "prefetch": False, "answerWithinMs": 0, "firstWindowMs": 60_000}
    session.configure({**settings, **how})
    session.completions.other_files = OtherFiles(
        lambda document, settings: Place(files=NoFiles(), root=Path("/shop"), path="till.py", repository="shop"),
        (source,),
        RecentEdits(),
    )
    session.open(Document(uri=URI, text=text, language="python"))
    await session.load()
    yield session
    await session.shut_down()


def query(session: Session, offset: int) -> Query:
    return Query(document=session.documents[URI], offset=offset, path="till.py")


def typed(session: Session, offset: int, text: str) -> Query:
    session.change(session.documents[URI].with_edit(Edit(Span(offset, offset), text)))
    return query(session, offset + len(text))


async def settled(session: Session) -> None:
    async with asyncio.timeout(30):
        while not session.completions.prefetcher.idle:
            await asyncio.sleep(0.005)


def prompt_has(session: Session, text: str) -> bool:
    """Whether the pieces that the last plan showed have a text."""
    return any(text in other.text for other in session.completions._states[URI].planning.other_files)


async def test_a_piece_that_is_found_at_rest_is_in_the_next_prompt_and_read_already() -> None:
    async with session_with(ScriptedSource("def price(item: str) -> int: ...\n")) as session:
        await session.complete(query(session, 2900))
        session.rest(query(session, 2900))
        await settled(session)
        outcome = await session.complete(typed(session, 2900, "x"))
        assert prompt_has(session, "def price")
        assert outcome.usage.prompt_tokens > 400
        assert outcome.usage.prefill_tokens < 30


async def test_a_prompt_keeps_its_pieces_where_nothing_else_is_needed() -> None:
    source = ScriptedSource("def price(item: str) -> int: ...\n")
    async with session_with(source) as session:
        session.rest(query(session, 2900))
        await settled(session)
        source.text = ""
        session.rest(query(session, 100))
        await settled(session)
        await session.complete(query(session, 120))
        assert len(source.asked) >= 2
        assert prompt_has(session, "def price")


async def test_typing_goes_on_in_the_prompt_that_was_read_while_another_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On an engine that would take seconds for the new prompt, the old one answers until the new one is there."""
    source = ScriptedSource()
    async with session_with(source, firstWindowMs=1000) as session:
        engine = session.manager.engine
        assert engine is not None
        session.rest(query(session, 2900))
        await settled(session)
        monkeypatch.setattr(type(engine), "prefill_speed", 500.0)
        source.text = "def price(item: str) -> int: ...\n"
        await session.completions.other_files.look(query(session, 2500), engine, session.settings)
        outcome = await session.complete(typed(session, 2900, "x"))
        assert not prompt_has(session, "def price")
        assert outcome.usage.prefill_tokens < 30


@pytest.mark.parametrize(("how", "asked"), [({}, 1), ({"otherFiles": "off"}, 0), ({"warmUp": False}, 0)])
async def test_whether_other_files_are_looked_at(how: dict[str, bool | str], asked: int) -> None:
    source = ScriptedSource()
    async with session_with(source, TEXT, **how) as session:
        session.rest(query(session, 2900))
        await settled(session)
        assert len(source.asked) == asked


async def test_pieces_go_with_the_settings_that_allowed_them() -> None:
    async with session_with(ScriptedSource("def price(item: str) -> int: ...\n")) as session:
        session.rest(query(session, 2900))
        await settled(session)
        assert session.completions.other_files.shown(URI).taken
        session.configure({"otherFiles": "off"})
        session.rest(query(session, 2900))
        await settled(session)
        await session.complete(query(session, 2900))
        assert not prompt_has(session, "def price")


async def test_the_source_sees_the_text_with_lf_and_its_own_path() -> None:
    source = ScriptedSource()
    async with session_with(source, "a = 1\r\nb = 2\r\n") as session:
        session.rest(query(session, 12))
        await settled(session)
        (cursor,) = source.asked
        assert (cursor.path, cursor.language, cursor.text, cursor.offset) == ("till.py", "python", "a = 1\nb = 2\n", 11)


async def test_a_source_that_fails_costs_no_suggestion(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ScriptedSource):
        def __call__(self, cursor: CursorInFile, files: Files) -> Iterator[Piece]:
            raise RecursionError

    async with session_with(Broken()) as session:
        session.rest(query(session, 2900))
        await settled(session)
        assert (await session.complete(query(session, 2900))).usage.completion_tokens
    assert "RecursionError" in caplog.text


TILL = """\
class Till:
    def remaining_after(self, booking: str, seats: int) -> int:
        return seats - len(booking)
"""
MAIN = "from shop.till import Till\n\ntill = Till()\nleft = till.\n"


async def test_the_prompt_of_a_workspace_shows_the_class_of_another_file(tmp_path: Path) -> None:
    """As an editor asks for it, of files on the disk."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "till.py").write_text(TILL)
    (tmp_path / "main.py").write_text(MAIN)
    async with serving({"model": "nano"}, root=tmp_path.as_uri()) as client:
        client.open(MAIN, uri=(tmp_path / "main.py").as_uri())
        where = {"textDocument": {"uri": client.document.uri}, "position": {"line": 3, "character": 12}}
        page = await client.protocol.send_request_async("codegemma/prompt", where)
        assert "| `shop/till.py` | definition | taken: defines Till: till at the cursor is of it |" in page.text
        assert "def remaining_after(self, booking: str, seats: int) -> int" in page.text


PRICES = (
    "def price(item: str) -> int:\n    return len(item)\n\n\ndef tax(item: str) -> int:\n    return price(item) // 5\n"
)


async def test_the_prompt_shows_what_was_just_edited_in_another_file(tmp_path: Path) -> None:
    """A function was renamed, and the cursor is now where it is called by its old name."""
    (tmp_path / "prices.py").write_text(PRICES)
    async with serving({"model": "nano"}, root=tmp_path.as_uri()) as client:
        call = "def total(items: list[str]) -> int:\n    return sum(price(item) for item in items)\n"
        client.open(call, uri=(tmp_path / "main.py").as_uri())
        main = client.document
        where = {"textDocument": {"uri": main.uri}, "position": {"line": 1, "character": 20}}
        page = await client.protocol.send_request_async("codegemma/prompt", where)
        assert "recent edit" not in page.text
        client.open(PRICES, uri=(tmp_path / "prices.py").as_uri())
        client.edit(Edit(Span(4, 9), ""), Edit(Span(4, 4), "cost_of"))
        page = await client.protocol.send_request_async("codegemma/prompt", where)
        assert "| `prices.py` | recent edit | taken: was just edited, and price, which was there" in page.text
        assert "def cost_of(item: str) -> int:\n    return len(item)\n" in page.text


async def test_the_prompt_of_a_test_shows_what_it_tests(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "prices.py").write_text(PRICES)
    async with serving({"model": "nano"}, root=tmp_path.as_uri()) as client:
        client.open("def test_tax_of_nothing() -> None:\n    ", uri=(tmp_path / "tests" / "test_prices.py").as_uri())
        where = {"textDocument": {"uri": client.document.uri}, "position": {"line": 1, "character": 4}}
        page = await client.protocol.send_request_async("codegemma/prompt", where)
        assert (
            "| `prices.py` | sibling file | taken: is the implementation of test_prices.py and names tax" in page.text
        )
        assert "def tax(item: str) -> int" in page.text


class Edits:
    """What a session is told of edits in a folder, at times that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 1000.0
        self.recent = RecentEdits(lambda: self.now)

    def document(self, name: str, text: str) -> Document:
        (self.folder / name).write_text(text)
        return Document(uri=(self.folder / name).as_uri(), text=text, language="python")

    def edited(self, document: Document, old: str, new: str) -> Document:
        """The document after an edit, which is written to its file too."""
        start = document.text.index(old)
        edit = Edit(Span(start, start + len(old)), new)
        after = document.with_edit(edit)
        self.recent.record(after, (Change(before=document, edit=edit, after=after),))
        file_path(document.uri).write_text(after.text)
        return after

    def found(self, folder: Path | None = None) -> list[str]:
        """The hunks that are found for a cursor behind a call of price in another file of a folder."""
        root = folder or self.folder
        files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None))
        cursor = CursorInFile(path="main.py", language="python", text="price(item)", offset=11)
        return [piece.text for piece in self.recent.source(root)(cursor, files)]


def test_an_edit_is_recent_for_ten_minutes(tmp_path: Path) -> None:
    edits = Edits(tmp_path)
    edits.edited(edits.document("prices.py", "price = 1\n"), "1", "2")
    edits.now += 599
    assert edits.found() == ["price = 2\n"]
    edits.now += 2
    assert edits.found() == []


def test_edits_of_a_document_go_on_from_the_one_before(tmp_path: Path) -> None:
    edits = Edits(tmp_path)
    document = edits.document("prices.py", "price = 1\n" + "\n" * 9 + "item = 1\n")
    edits.edited(edits.edited(document, "1", "2"), "item = 1", "item = 3")
    assert edits.found() == ["price = 2\n", "item = 3\n"]


def test_edits_are_forgotten_where_a_document_is_another_one_than_before(tmp_path: Path) -> None:
    """Its file was closed and changed on the disk, so what is known of its text is wrong."""
    edits = Edits(tmp_path)
    edits.edited(edits.document("prices.py", "price = 1\n" * 20), "1", "2")
    edits.edited(edits.document("prices.py", "item = 1\nprice = 2\n"), "item = 1", "item = 3")
    assert edits.found() == ["item = 3\nprice = 2\n"]
    assert edits.recent.last_elsewhere("") == 2


def test_edits_outside_of_the_folder_and_in_hidden_files_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / ".gitignore").write_text("made.py\n")
    edits = Edits(tmp_path)
    for name in ("prices.py", "inner/made.py", "inner/credentials.py", "inner/prices.py"):
        edits.edited(edits.document(name, f"price = 1  # {name}\n"), "1", "2")
    assert edits.found(tmp_path / "inner") == ["price = 2  # inner/prices.py\n"]


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    edits = Edits(tmp_path)
    for number in range(10):
        edits.edited(edits.document(f"p{number}.py", f"price = 1  # {number}\n"), "1", "2")
    assert edits.found() == [f"price = 2  # {number}\n" for number in range(2, 10)]


@pytest.mark.parametrize("how", ["settings", "folders", "off"])
async def test_edits_are_forgotten_with_the_settings_and_the_folders(tmp_path: Path, how: str) -> None:
    (tmp_path / "prices.py").write_text(PRICES)
    session = Session(lambda status: None)
    session.take_folders((tmp_path,))
    if how == "off":
        session.configure({"otherFiles": "off"})
    before = Document(uri=(tmp_path / "prices.py").as_uri(), text=PRICES, language="python")
    session.open(before)
    edit = Edit(Span(4, 9), "cost_of")
    session.change(before.with_edit(edit), (Change(before=before, edit=edit, after=before.with_edit(edit)),))
    assert session._recent_edits.last_elsewhere("") == (0 if how == "off" else 1)
    if how == "folders":
        session.take_folders((tmp_path, tmp_path / "other"))
    else:
        session.configure({"otherFiles": "workspace"})
    assert session._recent_edits.last_elsewhere("") == 0
    await session.shut_down()


async def test_a_line_is_looked_at_again_after_an_edit_elsewhere(tmp_path: Path) -> None:
    source = ScriptedSource()
    async with session_with(source) as session:
        edits = Edits(tmp_path)
        session.completions.other_files = OtherFiles(
            lambda document, settings: Place(files=NoFiles(), root=tmp_path, path="till.py", repository="shop"),
            (source,),
            edits.recent,
        )

        async def looks() -> int:
            session.rest(query(session, 2900))
            await settled(session)
            return len(source.asked)

        assert [await looks(), await looks()] == [1, 1]
        edits.edited(edits.document("prices.py", "price = 1\n"), "1", "2")
        assert [await looks(), await looks()] == [2, 2]


async def test_a_prompt_without_a_place_is_refused_in_a_sentence() -> None:
    async with serving({"model": "nano"}) as client:
        with pytest.raises(JsonRpcException, match="needs a textDocument and a position"):
            await client.protocol.send_request_async("codegemma/prompt", {})
        where = {"textDocument": {"uri": "file:///gone.py"}, "position": {"line": 0, "character": 0}}
        with pytest.raises(JsonRpcException, match="not open; open it in the editor first"):
            await client.protocol.send_request_async("codegemma/prompt", where)


@pytest.mark.parametrize("hidden", [".gitignore", "secret", "outside", "excluded", "nothing"])
async def test_what_may_not_be_read_is_in_no_prompt(tmp_path: Path, hidden: str) -> None:
    root = tmp_path / "root"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "__init__.py").write_text("")
    if hidden == ".gitignore":
        (root / ".gitignore").write_text("shop/till.py\n")
    name = "credentials" if hidden == "secret" else "till"
    target = tmp_path / "till.py" if hidden == "outside" else root / "shop" / f"{name}.py"
    target.write_text(TILL)
    if hidden == "outside":
        (root / "shop" / "till.py").symlink_to(target)
    cursor = CursorInFile(
        path="main.py", language="python", text=MAIN.replace("till import", f"{name} import"), offset=len(MAIN) - 1
    )
    excluded = ("**/till.*",) if hidden == "excluded" else ()
    files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None), excluded=excluded)
    expected = ["shop/till.py"] if hidden == "nothing" else []
    assert [piece.path for piece in imported_definitions(cursor, files)] == expected


async def test_nothing_is_suggested_or_answered_in_a_secret_file(tmp_path: Path) -> None:
    async with serving({"model": "nano", "reportCompletions": True}, root=tmp_path.as_uri()) as client:
        client.open("PASSWORD=", "shellscript", (tmp_path / ".env").as_uri())
        assert await client.complete(9, explicit=True) == []
        assert client.completed[-1].reason == snapshot(
            "suggestions are off in this file, because its name is that of a secret"
        )
        asked = {"text": "/explain", "selection": {"uri": (tmp_path / ".env").as_uri()}}
        with pytest.raises(JsonRpcException, match=r"\.env looks like a secret, so it is not given to a model\."):
            await client.protocol.send_request_async("codegemma/chat", asked)
