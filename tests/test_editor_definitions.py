"""What an editor's own language servers say of the names at a cursor: when it is asked, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from codegemma_lsp.completion import Query
from codegemma_lsp.context import DefinitionPlace, DiskFiles, Kind, Workspace
from codegemma_lsp.document import Document, Edit, Encoding, Position, Span
from codegemma_lsp.server.definitions import DEFINITIONS, read_definitions
from codegemma_lsp.server.params import MalformedParams
from codegemma_lsp.session import editor_definitions
from codegemma_lsp.session.other_files import OtherFiles, Place
from codegemma_lsp.session.recent_edits import RecentEdits
from codegemma_lsp.session.session import Session
from tests.client import Client, serving

TILL = """\
import decimal


class Till:
    def remaining_after(self, booking: str, seats: int) -> int:
        return seats - len(booking)
"""
PRICES = "def price(item: str, *, discount: int = 0) -> int: ...\n"
FAR = "\n" * 9
MAIN = f"def left(till, items):\n    return till.\n{FAR}def total(items):\n    return price(\n"
AT_TILL, AT_PRICE = MAIN.index("till.") + len("till."), MAIN.index("price(") + len("price(")


@dataclass
class ScriptedEditor:
    """Knows places by name. It answers once ``ready`` is set; a ``problem`` is raised instead."""

    root: Path
    problem: Exception | None = None
    knows_text: bool = True
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[list[str]] = field(default_factory=list)
    given_up: int = 0

    async def __call__(self, document: Document, offsets: Sequence[int]) -> list[tuple[DefinitionPlace, ...]] | None:
        names = [next(n for n in ("till", "price", "") if document.text.startswith(n, offset)) for offset in offsets]
        self.asked.append([name for name in names if name])
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.problem is not None:
            raise self.problem
        return [self._places(name) for name in names] if self.knows_text else None

    def _places(self, name: str) -> tuple[DefinitionPlace, ...]:
        if name == "till":
            return (DefinitionPlace(uri=(self.root / "till.py").as_uri(), start=Position(3, 6)),)
        if name == "price":
            return (DefinitionPlace(uri=(self.root / "prices.py").as_uri(), start=Position(0, 4)),)
        return ()


@dataclass
class Editing:
    """A document of a session whose client knows definitions."""

    session: Session
    editor: ScriptedEditor
    uri: str

    def query(self, offset: int) -> Query:
        return Query(document=self.session.documents[self.uri], offset=offset, path="main.py")

    async def rest(self, offset: int) -> None:
        self.session.rest(self.query(offset))
        await self.until(lambda: self.session.completions.prefetcher.idle)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not what():
                await asyncio.sleep(0.005)

    async def late(self) -> None:
        """The editor answers long after it was asked."""
        self.editor.ready.set()
        await self.until(lambda: self.session.completions.other_files._editor.came_late(self.uri))  # type: ignore[union-attr]

    @property
    def shown(self) -> list[str]:
        """What the next prompt is to show."""
        taken = self.session.completions.other_files.shown(self.uri).taken
        assert all(one.piece.kind is Kind.EDITOR for one in taken)
        return [one.piece.text.split("\n")[0] for one in taken]


@asynccontextmanager
async def editing(root: Path, **how: Any) -> AsyncIterator[Editing]:
    """A session in a folder with two files that ``MAIN`` does not import, so that only the editor knows of them."""
    (root / "till.py").write_text(TILL)
    (root / "prices.py").write_text(PRICES)
    session = Session(lambda status: None)
    settings = {"threads": 1, "minConfidence": -9, "prefetch": False, "answerWithinMs": 0, "firstWindowMs": 60_000}
    session.configure({**settings, **how})
    files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None))
    place = Place(files=files, root=root, path="main.py", repository="shop")
    session.completions.other_files = OtherFiles(lambda document, settings: place, (), RecentEdits())
    editor = ScriptedEditor(root)
    session.completions.other_files.ask_editor(editor)
    uri = (root / "main.py").as_uri()
    session.open(Document(uri=uri, text=MAIN, language="python"))
    await session.load()
    try:
        yield Editing(session, editor, uri)
    finally:
        await session.shut_down()


async def test_what_the_editor_says_at_rest_is_in_the_next_prompt_and_read_already(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.editor.ready.set()
        await here.rest(AT_TILL)
        assert here.shown == ["class Till:"]
        outcome = await here.session.complete(here.query(AT_TILL))
        planned = here.session.completions._states[here.uri].planning.other_files
        assert ["def remaining_after(self, booking: str, seats: int)" in one.text for one in planned] == [True]
        assert outcome.usage.prefill_tokens < 10


async def test_no_request_waits_for_the_editor(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.session.rest(here.query(AT_TILL))
        await here.until(lambda: bool(here.editor.asked))
        outcome = await here.session.complete(here.query(AT_TILL))
        assert outcome.usage.completion_tokens
        assert not here.editor.ready.is_set()
        assert here.shown == []


async def test_a_late_answer_serves_the_next_look_and_is_not_asked_for_again(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        await here.rest(AT_TILL)
        assert here.shown == []
        await here.late()
        await here.rest(AT_TILL)
        assert here.shown == ["class Till:"]
        await here.rest(AT_TILL)
        assert len(here.editor.asked) == 1


async def test_one_question_at_a_time_waits_for_an_answer(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        for offset in (AT_TILL, AT_PRICE, AT_TILL):
            await here.rest(offset)
        assert len(here.editor.asked) == 1


async def test_another_line_has_other_names(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.editor.ready.set()
        await here.rest(AT_TILL)
        await here.rest(AT_PRICE)
        assert [names[0] for names in here.editor.asked] == ["till", "price"]
        assert PRICES.strip() in here.shown


async def test_the_question_outlives_the_look_that_asked_it(tmp_path: Path) -> None:
    """A key ends what runs ahead, and not what the editor is asked."""
    async with editing(tmp_path) as here:
        here.session.rest(here.query(AT_TILL))
        await here.until(lambda: bool(here.editor.asked))
        here.session.completions.prefetcher.stop(here.uri)
        await here.late()
        assert here.editor.given_up == 0


async def test_an_editor_that_gives_no_answer_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor_definitions, "_GIVEN_UP_S", 0.3)
    async with editing(tmp_path) as here:
        await here.rest(AT_TILL)
        await here.until(lambda: here.editor.given_up == 1)
        here.editor.ready.set()
        await here.rest(AT_PRICE)
        assert len(here.editor.asked) == 1
        monkeypatch.setattr(here.session.completions.other_files._editor, "_not_before", 0.0)
        await here.rest(AT_TILL)
        assert len(here.editor.asked) == 2
        assert "class Till:" in here.shown


async def test_an_editor_that_fails_costs_nothing_and_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.editor.problem = RuntimeError("no language server")
        here.editor.ready.set()
        await here.rest(AT_TILL)
        assert (await here.session.complete(here.query(AT_TILL))).usage.completion_tokens
        await here.rest(AT_PRICE)
        assert len(here.editor.asked) == 1


async def test_an_editor_with_another_text_has_not_failed(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.editor.knows_text = False
        here.editor.ready.set()
        await here.rest(AT_TILL)
        here.editor.knows_text = True
        await here.rest(AT_PRICE)
        assert len(here.editor.asked) == 2
        assert here.shown == [PRICES.strip()]


async def test_nothing_is_kept_of_a_document_that_is_closed(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        await here.rest(AT_TILL)
        here.session.close(here.uri)
        await here.until(lambda: here.editor.given_up == 1)
        here.editor.ready.set()
        here.session.open(Document(uri=here.uri, text=MAIN, language="python"))
        await here.rest(AT_TILL)
        assert len(here.editor.asked) == 2


async def test_shutting_down_waits_for_no_answer(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        await here.rest(AT_TILL)
        await here.session.shut_down()
        await here.until(lambda: here.editor.given_up == 1)


@pytest.mark.parametrize("how", [{"otherFiles": "off"}, {"warmUp": False}])
async def test_who_wants_no_other_files_has_nothing_asked(tmp_path: Path, how: dict[str, Any]) -> None:
    async with editing(tmp_path, **how) as here:
        await here.rest(AT_TILL)
        assert here.editor.asked == []


async def test_a_changed_text_is_asked_about_as_it_is(tmp_path: Path) -> None:
    async with editing(tmp_path) as here:
        here.editor.ready.set()
        document = here.session.documents[here.uri].with_edit(Edit(Span(0, 0), "# \U0001f9f9\n"), 2)
        here.session.change(document)
        await here.rest(AT_TILL + 4)
        assert here.editor.asked[0][0] == "till"


# Over the protocol


class Answering(Client):
    """Answers ``codegemma/definitions`` with what ``answer`` returns."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self.asked: list[Any] = []

        async def on_definitions(params: Any) -> Any:
            self.asked.append(params)
            return answer(params)

        self.feature(DEFINITIONS)(on_definitions)

    async def page(self, times: int = 1) -> str:
        """The prompt behind the last ``till.``, asked for several times, because what is late is in the next one."""
        position = self.position(self.document.text.rindex("till.") + len("till."))
        where = {"line": position.line, "character": position.character}
        asked = {"textDocument": {"uri": self.document.uri}, "position": where}
        for _ in range(times):
            page = str((await self.protocol.send_request_async("codegemma/prompt", asked)).text)
        return page

    async def page_with(self, text: str) -> str:
        async with asyncio.timeout(30):
            while text not in (page := await self.page()):
                await asyncio.sleep(0.05)
        return page


def first(place: Any) -> Callable[[Any], Any]:
    """An answer with one place for the first name and none for the others."""
    return lambda params: [[place], *([] for _ in params.positions[1:])]


def at(path: Path, line: int = 3, character: int = 6) -> dict[str, Any]:
    point = {"line": line, "character": character}
    return {"uri": path.as_uri(), "range": {"start": point, "end": point}}


@asynccontextmanager
async def answering(root: Path, answer: Callable[[Any], Any], **how: Any) -> AsyncIterator[Answering]:
    (root / "till.py").write_text(TILL)
    (root / "main.py").write_text(MAIN)
    client = Answering(answer)
    options = {"model": "nano", "findsDefinitions": True, **how.pop("options", {})}
    async with serving(options, client=client, root=root.as_uri(), **how):
        client.open(MAIN, uri=(root / "main.py").as_uri())
        yield client


async def test_the_prompt_shows_what_the_client_points_to(tmp_path: Path) -> None:
    async with answering(tmp_path, first(at(tmp_path / "till.py"))) as client:
        page = await client.page_with("definition from the editor")
        assert "taken: defines Till: a member of till is written at the cursor" in page
        assert "def remaining_after(self, booking: str, seats: int) -> int" in page
        (asked,) = client.asked
        assert (asked.textDocument.uri, asked.textDocument.version) == (client.document.uri, 1)
        assert (asked.positions[0].line, asked.positions[0].character) == (1, len("    return "))


async def test_the_prompt_shows_a_text_that_the_client_sends(tmp_path: Path) -> None:
    place = {"uri": (tmp_path / "till.py").as_uri(), "text": "def closed(till: int) -> bool: ...\n"}
    async with answering(tmp_path, first(place)) as client:
        assert "defines closed: " in await client.page_with("definition from the editor")


async def test_positions_are_in_the_encoding_that_was_agreed_on(tmp_path: Path) -> None:
    emoji = "\U0001f9f9"
    (tmp_path / "two.py").write_text(f"a = '{emoji}{emoji}'; price = 3; b = 3\n")
    agreed = at(tmp_path / "two.py", 0, len(f"a = '{emoji}{emoji}'; ".encode()))
    own = {**at(tmp_path / "two.py", 0, len("a = '____'; price = 3; ")), "encoding": "utf-16"}
    async with answering(
        tmp_path, lambda params: [[agreed, own], *([] for _ in params.positions[1:])], encoding=Encoding.UTF8
    ) as client:
        client.open(MAIN.replace("return till", f"'{emoji}'; till"), uri=client.document.uri)
        page = await client.page_with("definition from the editor")
        assert "defines price: a member of till is written" in page
        assert "defines b: a member of till is written" in page
        assert client.asked[0].positions[0].character == len(f"    '{emoji}'; ".encode())


async def test_nothing_that_may_not_be_read_is_in_a_prompt(tmp_path: Path) -> None:
    (root := tmp_path / "root").mkdir()
    (root / ".gitignore").write_text("ignored.py\n")
    (root / "linked.py").symlink_to(tmp_path / "outside.py")
    hidden = [root / "ignored.py", root / "credentials.py", root / "linked.py", tmp_path / "outside.py"]
    for file in hidden:
        file.write_text("class Hidden:\n    name = 3\n")
    (holding := root / "holding.py").write_text("class Hidden:\n    password = 'hunter2hunter2hunter2'\n")
    places = [[at(file, 0, 6) for file in hidden], [at(holding, 0, 6)], [at(root / "till.py")]]
    async with answering(root, lambda params: [*places, *([] for _ in params.positions[3:])]) as client:
        page = await client.page_with("class Till")
        assert "class Hidden" not in page


GARBAGE: dict[str, Any] = {
    "a number": 3,
    "an object": {"uri": "file:///a.py"},
    "a list for one position of two": [[]],
    "places without a list of their own": [{"uri": "file:///a.py"}] * 2,
    "no uri": [[{"text": "x"}], []],
    "a uri alone": [[{"uri": "file:///a.py"}], []],
    "a line below zero": [[{"uri": "file:///a.py", "range": {"start": {"line": -1, "character": 0}}}], []],
    "an unknown encoding": [[{"uri": "file:///a.py", "text": "x", "encoding": "utf-7"}], []],
    "a text without end": [[{"uri": "file:///a.py", "text": "x" * 100_000}], []],
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_answer_that_makes_no_sense_is_refused(answer: Any) -> None:
    with pytest.raises(MalformedParams):
        read_definitions(answer, 2, Encoding.UTF16)


def test_of_many_definitions_of_a_name_the_first_ones_are_read() -> None:
    found = read_definitions([[{"uri": "file:///a.py", "text": "a"}] * 50, []], 2, Encoding.UTF16)
    assert [len(places) for places in found] == [4, 0]


async def test_a_client_that_answers_nonsense_is_left_alone(tmp_path: Path) -> None:
    async with answering(tmp_path, lambda _: {"uri": "file:///a.py"}) as client:
        assert "No piece of another file was found for this cursor." in await client.page(times=3)
        client.type(AT_TILL, "\n    return till.")
        await client.page()
        assert len(client.asked) == 1


async def test_a_client_that_does_not_know_the_request_is_left_alone(tmp_path: Path) -> None:
    client = Client()
    async with serving({"model": "nano", "findsDefinitions": True}, client=client, root=tmp_path.as_uri()):
        client.open(MAIN, uri=(tmp_path / "main.py").as_uri())
        where = {"textDocument": {"uri": client.document.uri}, "position": {"line": 1, "character": 16}}
        page = await client.protocol.send_request_async("codegemma/prompt", where)
        assert "No piece of another file was found" in page.text


async def test_clients_that_do_not_offer_it_are_not_asked(tmp_path: Path) -> None:
    async with answering(tmp_path, first(at(tmp_path / "till.py")), options={"findsDefinitions": False}) as client:
        assert "No piece of another file was found" in await client.page(times=2)
        assert client.asked == []


async def test_a_client_that_hangs_is_told_that_nobody_waits_any_more(tmp_path: Path) -> None:
    client = Answering(lambda _: None)
    cancelled = asyncio.Event()

    async def hang(params: Any) -> Any:
        client.asked.append(params)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    client.protocol.fm.features[DEFINITIONS] = hang
    options = {"model": "nano", "findsDefinitions": True}
    async with serving(options, client=client, root=tmp_path.as_uri()):
        client.open(MAIN, uri=(tmp_path / "main.py").as_uri())
        await client.page()
        async with asyncio.timeout(10):
            await cancelled.wait()
        assert "No piece of another file was found" in await client.page()
        assert len(client.asked) == 1
