"""The typist: what is accepted, what is on the screen, what a session comes to, and which files are typed. Clocks are
fake; a short run on the real servers comes last."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import httpx
import pytest
from typer.testing import CliRunner

from codegemma_lsp.benchmarks.typing import command, openings, typed_files, typist, typist_run
from codegemma_lsp.benchmarks.typing.baseline_completion import LlamaCompletion
from codegemma_lsp.benchmarks.typing.openings import Openings, measure_openings, opened_file
from codegemma_lsp.benchmarks.typing.replay import Counters, Record
from codegemma_lsp.benchmarks.typing.screen import Screen, Shown
from codegemma_lsp.benchmarks.typing.server import SERVER, CodegemmaServer
from codegemma_lsp.benchmarks.typing.typed_files import (
    SOURCES,
    SourceFile,
    function_bodies,
    long_file,
    long_project_files,
    project_tasks,
    read,
    source_paths,
    task_of,
    typing_tasks,
)
from codegemma_lsp.benchmarks.typing.typist import (
    GLANCE_MS,
    PAUSE_MS,
    Amount,
    Part,
    Press,
    TypedSession,
    TypingTask,
    Typist,
    gap_ms,
    hesitations,
    is_seen,
    is_worth_a_key,
    keys_of,
    right_part,
)
from codegemma_lsp.benchmarks.typing.typist_plot import plot_typist
from codegemma_lsp.benchmarks.typing.typist_report import quantity, typist_table
from codegemma_lsp.benchmarks.typing.typist_run import TypistFindings
from codegemma_lsp.benchmarks.typing.typist_summary import COLD_KEYS, figures, medians, pause_waits
from codegemma_lsp.cli.app import app
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.prompt.families import CODEGEMMA, QWEN

has_peer = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is missing: pip install 'codegemma-lsp[bench]'"
)
Script: TypeAlias = dict[str, tuple[float, str]]
WHOLE, LINE, WORD = Amount.WHOLE, Amount.LINE, Amount.WORD


def task(typed: str, after: str = "\n\nx = 1\n", before: str = "def f():") -> TypingTask:
    return TypingTask(name="a.py", language="python", before=before, typed=typed, after=after)


def shown_at(typed: TypingTask, already: str, text: str, overwrites: int = 0) -> Shown:
    assert typed.typed.startswith(already)
    return Shown(number=0, since=0.0, offset=len(typed.before) + len(already), text=text, overwrites=overwrites)


@pytest.mark.parametrize(
    ("rest", "text", "expected"),
    [
        pytest.param("return 1", "return 1", (WHOLE, "return 1"), id="all that is left"),
        pytest.param("return 1\n    x", "return 1", (WHOLE, "return 1"), id="as far as it goes"),
        pytest.param("return 1", "return 1\n\ndef g(): ...", (LINE, "return 1"), id="more below than is typed"),
        pytest.param("a = 1\n    b = 2", "a = 1\n    c = 3", (LINE, "a = 1"), id="its first line"),
        pytest.param("\n    b = 2", "\n    b = 2\n    c", (LINE, "\n    b = 2"), id="a line that is below"),
        pytest.param("return 1", "return 2", (WORD, "return"), id="its first word"),
        pytest.param("\n    return 1", "\n    return 2", (WORD, "\n    return"), id="a word below"),
        pytest.param("(a)", "()", None, id="not the first word, which is both brackets"),
        pytest.param("return 1", "pass", None, id="another word"),
        pytest.param("counted", "count", None, id="ends within a word"),
        pytest.param("value", "value_of(x)", None, id="the word goes on"),
        pytest.param("a.count", "a.co", (WORD, "a"), id="ends within a later word"),
        pytest.param("x", "\n    ", None, id="blanks are no word"),
        pytest.param("", "x", None, id="nothing is left to type"),
    ],
)
def test_what_is_right_of_a_suggestion(rest: str, text: str, expected: tuple[Amount, str] | None) -> None:
    part = right_part(shown_at(task(rest), "", text), task(rest))
    assert (part and (part.amount, part.text, part.overwrites)) == (expected and (*expected, 0))


@pytest.mark.parametrize(
    ("text", "overwrites", "expected"),
    [
        ("a, b)", 1, Part(WHOLE, "a, b)", 1)),
        ("a, b", 1, Part(LINE, "a, b", 0)),
        ("a, b)\nx", 2, Part(WORD, "a", 0)),
    ],
)
def test_what_is_overwritten_has_to_be_there_again(text: str, overwrites: int, expected: Part) -> None:
    typed = task("a, b", after=")\n", before="f(")
    assert right_part(shown_at(typed, "", text, overwrites), typed) == expected


@pytest.mark.parametrize(
    ("ago_ms", "gap", "expected"),
    [
        pytest.param(1, 140, True, id="just before the next key"),
        pytest.param(0, 140, False, id="with the next key"),
        pytest.param(GLANCE_MS - 1, PAUSE_MS, False, id="shorter than a glance"),
        pytest.param(GLANCE_MS + 1, PAUSE_MS, True, id="longer than a glance"),
        pytest.param(GLANCE_MS - 1, PAUSE_MS - 1, True, id="not a pause"),
    ],
)
def test_what_is_seen(ago_ms: float, gap: float, expected: bool) -> None:
    assert is_seen(Shown(number=0, since=0.0, offset=0, text="x"), ago_ms / 1000, gap) is expected


def test_accepting_is_worth_it_from_two_keys_on() -> None:
    typed = task("\n    ab)")
    at = len(typed.before)
    assert not is_worth_a_key(Part(WHOLE, "\n    ", 0), typed, at)
    assert is_worth_a_key(Part(WHOLE, "\n    a", 0), typed, at)
    assert not is_worth_a_key(Part(WHOLE, ")", 0), typed, at + len("\n    ab"))


def test_an_editor_indents() -> None:
    assert keys_of("if x:\n\t\ty\n\n  z", 3, 14) == ["x", ":", "\n\t\t", "y", "\n", "\n  ", "z"]
    assert keys_of("a\n    b", 2, 7) == ["    ", "b"]


def test_pauses_come_before_a_line_after_a_bracket_and_after_accepting() -> None:
    typed = task("\n    f(x)")
    factors, at = (1.0,) * len(typed.typed), len(typed.before)
    gaps = [gap_ms(typed, at + i, factors, accepted=False) for i in (0, 5, 6, 7, 8)]
    assert [gap >= PAUSE_MS for gap in gaps] == [False, True, False, True, False]
    assert gap_ms(typed, at + 6, factors, accepted=True) >= PAUSE_MS
    assert hesitations(typed, 1) == hesitations(typed, 1) != hesitations(typed, 2)


class Clock:
    """Time that passes when it is slept; what is due happens on the way."""

    def __init__(self) -> None:
        self.time = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self.due.append((self.time + seconds, act))

    async def sleep(self, seconds: float) -> None:
        end = self.time + max(0.0, seconds)
        while (ready := min((at for at, _ in self.due), default=end + 1)) <= end:
            self.time = ready
            for entry in [entry for entry in self.due if entry[0] == ready]:
                self.due.remove(entry)
                entry[1]()
        self.time = end


class Scripted:
    """Answers after the given milliseconds where what was typed so far is in its script, if it is still so then."""

    name = "scripted"

    def __init__(self, clock: Clock, script: Script, at: int, overwrites: int = 0) -> None:
        self.clock, self.script, self.at, self.overwrites = clock, script, at, overwrites
        self.texts: list[str] = []
        self.accepted: list[Part] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def settle(self) -> None: ...

    async def close(self) -> None: ...

    async def open(self, document: Document, record: Record) -> None:
        self.record, self.document = record, document

    def move(self, document: Document, offset: int) -> None: ...

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        self.document = document
        self.record.screen.edit(edit)
        self.texts.append(document.text)
        answer = self.script.get(document.text[self.at : offset])
        if answer is not None:
            self.clock.later(answer[0] / 1000, lambda: self.answer(document, offset, answer[1]))
        return True

    def answer(self, document: Document, offset: int, text: str) -> None:
        if document is self.document:
            self.record.answer(document.version, text, Span(offset, offset), reused=False)
            self.record.screen.show(offset, text, self.overwrites)

    def accept(self, shown: Shown, part: Part) -> None:
        self.accepted.append(part)

    async def counters(self) -> Counters:
        return Counters()

    async def cancel(self, document: Document, offset: int, after_s: float) -> None: ...


async def typed_on(
    typed: TypingTask, script: Script, monkeypatch: pytest.MonkeyPatch, overwrites: int = 0
) -> tuple[TypedSession, Scripted]:
    """Without hesitations: 140 ms between keys, 700 in a pause."""
    monkeypatch.setattr(typist, "hesitations", lambda task, seed: (1.0,) * len(task.typed))
    clock = Clock()
    system = Scripted(clock, script, len(typed.before), overwrites)
    session = await Typist(sleep=clock.sleep).type(typed, system, Record(screen=Screen(clock.now)))
    assert system.document.text == typed.text
    return session, system


@pytest.mark.parametrize(
    ("typed", "script", "presses"),
    [
        pytest.param("\n    ab cd", {"\n    ": (100, "ab cd")}, ["\n    ", "ab cd*"], id="the whole"),
        pytest.param("\n    ab cd", {"\n    a": (100, "b cd")}, ["\n    ", "a", "b cd*"], id="in the flow"),
        pytest.param(
            "\n  ab\n  cd", {"\n  ": (100, "ab\n  ce")}, ["\n  ", "ab*", "\n  ", "c", "d"], id="a line, then alone"
        ),
        pytest.param("\n  ab cd", {"\n  ": (100, "ab ce")}, ["\n  ", "ab*", " ", "c", "d"], id="a word"),
        pytest.param("\n  ab", {"\n  ": (100, "xy")}, ["\n  ", "a", "b"], id="wrong"),
        pytest.param("\n  abc", {"\n  a": (150, "bc")}, ["\n  ", "a", "b", "c"], id="after the next key"),
        pytest.param(
            "\n  abcd", {"\n  ": (500, "abcd")}, ["\n  ", "a", "bcd*"], id="shorter than a glance, then typed through"
        ),
        pytest.param("\n  abcd", {"\n  ": (399, "abcd")}, ["\n  ", "abcd*"], id="a glance"),
        pytest.param("\n  ab", {"\n  a": (10, "b")}, ["\n  ", "a", "b"], id="one key is as quick"),
        pytest.param("\n  abcd", {"\n  ": (500, "abce")}, ["\n  ", "a", "b", "c", "d"], id="typed up to what is wrong"),
    ],
)
async def test_what_the_typist_presses(
    typed: str, script: Script, presses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, system = await typed_on(task(typed), script, monkeypatch)
    assert [press.text + "*" * (press.accepted is not None) for press in session.presses] == presses
    assert [part.text + "*" for part in system.accepted] == [text for text in presses if text.endswith("*")]
    assert len(system.texts) == len(presses)


async def test_the_file_comes_out_as_it_was_where_something_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = task("abc", after=")\n", before="f(")
    session, _ = await typed_on(typed, {"a": (10, "bc)")}, monkeypatch, overwrites=1)
    assert [(press.text, press.accepted) for press in session.presses] == [("a", None), ("bc)", WHOLE)]


def test_what_is_typed_as_shown_stays_on_the_screen() -> None:
    screen = Screen(lambda: 1.0)
    screen.show(10, "abcd", item="1")
    screen.edit(Edit(Span(10, 10), "ab"))
    assert screen.shown == Shown(number=0, since=1.0, offset=12, text="cd", overwrites=0, typed="ab", item="1")
    screen.show(12, "cdef", item="2")
    assert screen.shown == Shown(number=0, since=1.0, offset=12, text="cdef", overwrites=0, typed="", item="2")
    screen.edit(Edit(Span(12, 12), "x"))
    screen.show(13, "abcd")
    assert [shown.number for shown in screen.appearances] == [0, 1]


@pytest.mark.parametrize(
    "edit", [Edit(Span(9, 10), ""), Edit(Span(9, 9), "a"), Edit(Span(10, 11), "a"), Edit(Span(10, 10), "b")]
)
def test_other_edits_clear_the_screen(edit: Edit) -> None:
    screen = Screen()
    screen.show(10, "abcd")
    screen.edit(edit)
    assert screen.shown is None


@pytest.mark.parametrize(
    ("typed", "item", "text", "expected"),
    [
        pytest.param("", "1", "abcdef", "abcdef", id="appends"),
        pytest.param("ab", "1", "abcdef", "cdef", id="appends to what is left"),
        pytest.param("abcd", "1", "abcdef", "ef", id="after it was typed to its end"),
        pytest.param("abcde", "1", "abcdef", "f", id="goes on as was typed"),
        pytest.param("abcdx", "1", "abcdef", None, id="something else was typed"),
        pytest.param("", "1", "abxd", "abcd", id="never changes"),
        pytest.param("", "2", "abcdef", "abcd", id="another item"),
        pytest.param("ab", "1", "abc", "cd", id="never shrinks"),
    ],
)
def test_suggestions_grow(typed: str, item: str, text: str, expected: str | None) -> None:
    screen = Screen()
    screen.show(10, "abcd", item="1")
    for i, char in enumerate(typed):
        screen.edit(Edit(Span(10 + i, 10 + i), char))
    screen.grow(item, text)
    assert (screen.shown and screen.shown.text) == expected


def press(at: float, gap: float = 140, right_before: bool = False, shown_after: bool = False) -> Press:
    return Press(
        at=at, gap_ms=gap, offset=8, text="x", accepted=None, right_before=right_before, shown_after=shown_after
    )


@pytest.mark.parametrize(
    ("presses", "appearances", "nothing_at", "expected"),
    [
        pytest.param([press(1), press(2, 1000)], [1.25], {}, [(250, "suggestion")], id="in the pause"),
        pytest.param([press(1), press(2, 1000), press(3, 140)], [2.5], {}, [(1500, "late")], id="while typing on"),
        pytest.param([press(1), press(2, 1000)], [], {}, [(1000, "late")], id="never"),
        pytest.param([press(1), press(2, 1000)], [], {0: 1.1}, [(1000, "nothing")], id="there is nothing"),
        pytest.param([press(1), press(2, 1000)], [], {0: 2.1}, [(1000, "late")], id="nothing, said too late"),
        pytest.param([press(1), press(2, 1000)], [1.4], {0: 1.1}, [(400, "suggestion")], id="nothing, and then more"),
        pytest.param([press(1), press(2, 1000)], [0.5], {}, [(1000, "late")], id="what was there before"),
        pytest.param([press(1), press(1.4, 400)], [1.1], {}, [], id="no pause"),
        pytest.param([press(1, shown_after=True), press(2, 1000)], [1.1], {}, [], id="something is there already"),
        pytest.param([press(0.2), press(1.2, 1000)], [1.1], {}, [], id="before the first answer"),
        pytest.param(
            [press(i / 100) for i in range(COLD_KEYS + 1)] + [press(1.1, 1000)],
            [],
            {},
            [(1000, "late")],
            id="not answered for many keys",
        ),
    ],
)
def test_how_long_pauses_wait(
    presses: list[Press], appearances: list[float], nothing_at: dict[int, float], expected: list[tuple[float, str]]
) -> None:
    shown = tuple(Shown(number=i, since=at, offset=8, text="x") for i, at in enumerate(appearances))
    session = TypedSession(
        task=task("x"), presses=tuple(presses), appearances=shown, answered_at=0.5, nothing_at=nothing_at
    )
    found = pause_waits(session)
    assert [pause.wait_ms for pause in found] == pytest.approx([ms for ms, _ in expected])
    assert [pause.end.value for pause in found] == [end for _, end in expected]


async def test_what_a_session_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    script = {"\n  ": (100.0, "ab ce"), "\n  ab ": (10.0, "xy"), "\n  ab cd\n  ": (200.0, "return 1")}
    session, _ = await typed_on(task("\n  ab cd\n  return 1"), script, monkeypatch)
    assert [press.text for press in session.presses] == ["\n  ", "ab", " ", "c", "d", "\n  ", "return 1"]
    found = figures(session, Counters(prefill_tokens=70, completion_tokens=14, cpu_s=2.1, rss_mb=100.0))
    assert (found.keys, found.characters, found.accepted_whole, found.accepted_words) == (7, 19, 1, 1)
    assert found.saved_share == pytest.approx(10 / 19)
    # Before "ab" and "return 1"; what is left of the first, " ce", is wrong from there on.
    assert found.right_share == pytest.approx(2 / 6)
    assert found.wrong_per_100_keys == pytest.approx(100 / 7)
    assert (found.prefill_tokens_per_key, found.completion_tokens_per_key) == (10, 2)
    assert found.cpu_s_per_100_keys == pytest.approx(30)
    # Before "return", until what is accepted. After "ab", " ce" is still there.
    assert (found.pauses, found.answered_pauses_share, found.quiet_pauses_share) == (1, 1, 0)
    assert (found.pause_p50_ms, found.pause_p95_ms) == pytest.approx((200, 200))
    assert medians([found, found]) == found
    with pytest.raises(ValueError, match="no sessions"):
        medians([])


async def test_the_report_has_every_figure_and_no_nan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    session, _ = await typed_on(task("\n  ab"), {}, monkeypatch)
    one = figures(session, Counters())
    assert one.pause_p50_ms is None
    rounds = [Openings(2000.0, None, 400.0), Openings(1000.0, None, 600.0)]
    found = TypistFindings(
        {SERVER: [one], "llama-server": [one]}, {SERVER: rounds}, [session.task], ["There are no files in lua."]
    )
    written = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert set(written) == {"systems", "ratios", "sessions", "openings", "tasks", "missing"}
    ours = written["systems"][SERVER]
    assert (ours["cold_open_ms"], ours["jump_ms"], ours["return_ms"]) == (1500, None, 500)
    assert {"saved_share", "right_share", "wrong_per_100_keys", "pause_p50_ms", "pause_p95_ms"} <= set(ours)
    assert written["ratios"]["llama-server"]["keys"] == 1
    table = typist_table(found)
    assert "There are no files in lua." in str(table.caption)
    plot_typist(found.figures(), tmp_path / "a.png", "model")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_quantities_are_readable() -> None:
    figures = [(0.256, "%"), (350.4, "ms"), (1234.0, "ms"), (12.34, "s"), (1234.5, "MB"), (3.0, ""), (None, "ms")]
    assert [quantity(*figure) for figure in figures] == ["25.6%", "350 ms", "1.2 s", "12.3 s", "1,234 MB", "3.0", "–"]


def test_files_are_drawn_by_seed_and_taken_from_other_packages() -> None:
    tasks, _ = typing_tasks(4, 120, seed=3)
    assert tasks == typing_tasks(4, 120, seed=3)[0] != typing_tasks(4, 120, seed=4)[0]
    assert len(tasks) == 4
    assert tasks[0].language == "python"
    assert not any("codegemma" in path.parts for name in SOURCES for path in source_paths(name))
    for drawn in tasks:
        assert drawn.typed.startswith("\n")
        assert drawn.after.startswith("\n") or not drawn.after
        assert drawn.typed.strip()
        assert 20 <= len(keys_of(drawn.text, len(drawn.before), len(drawn.before) + len(drawn.typed))) <= 156


def test_a_language_that_is_not_installed_is_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_files, "SOURCES", {**SOURCES, "cobol": (typed_files.Origin("no_such_package", "*.cob"),)})
    tasks, missing = typing_tasks(2, 60, languages=("cobol", "python"))
    assert [drawn.language for drawn in tasks] == ["python", "python"]
    assert missing == ["There are no files in cobol: no_such_package is not installed."]
    assert typing_tasks(2, 60, languages=("cobol",))[0] == []


FILE = SourceFile(
    name="a.py",
    language="python",
    text='''class A:
    def documented(self):
        """What it does."""
        first()
        second()

    def one_line(self): pass

def outer():
    def inner():
        return 1
    return inner
''',
)


def test_bodies_are_of_the_innermost_functions_below_their_documentation() -> None:
    assert [FILE.text[body.start : body.end] for body in function_bodies(FILE)] == [
        "\n        first()\n        second()",
        "\n        return 1",
    ]
    body = function_bodies(FILE)[0]
    assert task_of(FILE, body, 100).typed == FILE.text[body.start : body.end]
    short = task_of(FILE, body, 9)
    assert short.typed == "\n        first()"
    assert short.text == FILE.text


def test_files_made_by_programs_are_left_out(tmp_path: Path) -> None:
    minified, mixed, good = tmp_path / "a.js", tmp_path / "b.js", tmp_path / "c.js"
    minified.write_text("x\n" * 100 + "y" * 500)
    mixed.write_bytes(b"x\r\n" * 100)
    good.write_text("x\n" * 100)
    assert [read(path, "javascript") is not None for path in (minified, mixed, good)] == [False, False, True]


def test_a_project_is_typed_in_its_own_folder(tmp_path: Path) -> None:
    """Other files of a project help only where the editor's workspace is the project's folder."""
    body = "".join(f"    total = total * {number} + rate\n" for number in range(20))
    source = "".join(f"def rate{number}(rate, total):\n{body}    return total\n\n\n" for number in range(6))
    (tmp_path / "shop").mkdir()
    for name in ("shop/till.py", "shop/cart.py", "short.py", "notes.md"):
        (tmp_path / name).write_text(source if name.startswith("shop") else "x = 1\n")
    tasks = project_tasks(tmp_path, 9, 80)
    assert sorted(task.uri for task in tasks) == [f"{tmp_path.as_uri()}/shop/{name}.py" for name in ("cart", "till")]
    assert all(task.text == source and task.typed in source for task in tasks)
    assert tasks == project_tasks(tmp_path, 9, 80)
    assert [file.name for file in long_project_files(tmp_path)] == ["shop/cart.py", "shop/till.py"]
    assert opened_file(long_project_files(tmp_path)[0]).uri == f"{tmp_path.as_uri()}/shop/cart.py"
    with pytest.raises(RuntimeError, match=r"There is no file with several functions in .*; name another folder"):
        long_project_files(tmp_path / "gone")


async def test_openings_are_measured_where_bodies_are_missing() -> None:
    """Suggests at once what is missing at the place, and nothing at the first key after the jump."""
    file = opened_file(long_file(2000))
    assert len({place.offset for place in file.places}) == 2
    assert file.text.count("\n") < 2000
    whole = long_file(2000).text
    for place in file.places:
        assert place.typed in whole
    texts: list[str] = []

    class Quick(Scripted):
        def key(self, document: Document, offset: int, edit: Edit) -> bool:
            self.record.screen.edit(edit)
            texts.append(document.text[:offset])
            self.record.answer(document.version, "x", Span(offset, offset), reused=False)
            self.record.screen.show(offset, "x")
            return True

    found = await measure_openings(Quick(Clock(), {}, 0), file, [task("\n    a")])
    assert all(ms is not None and ms >= 0 for ms in (found.cold_open_ms, found.jump_ms, found.return_ms))
    assert len(texts) == 4
    for text, place in zip(texts[:2], file.places, strict=True):
        key = keys_of("\n" + place.typed, 1, 1 + len(place.typed))[0]
        assert text.endswith(file.text[place.offset - 20 : place.offset] + key)
    jump = file.places[1]
    first, second = keys_of("\n" + jump.typed, 1, 1 + len(jump.typed))[:2]
    assert texts[3].endswith(file.text[jump.offset - 20 : jump.offset] + first + second)


class Stub(CodegemmaServer):
    """The client without a server: what it sends is kept."""

    def __init__(self) -> None:
        super().__init__("stub", {}, grows_suggestions=True)
        self.sent: list[tuple[str, Any]] = []
        protocol = SimpleNamespace(notify=lambda method, params: self.sent.append((method, params)))
        self._client: Any = SimpleNamespace(protocol=protocol)

    def item(self, document: Document, offset: int, span: Span, text: str) -> None:
        command = SimpleNamespace(arguments=["7"])
        self._before, self._uri = document, document.uri
        self._show(document, offset, text, span, SimpleNamespace(command=command))

    def grown(self, uri: str, item: str, text: str) -> None:
        self._on_grown(SimpleNamespace(textDocument=SimpleNamespace(uri=uri, version=2), itemId=item, text=text))

    @property
    def on_screen(self) -> str | None:
        shown = self._record.screen.shown
        return shown.text if shown else None


def test_our_client_shows_what_the_plugins_show() -> None:
    document, client = Document(uri="file:///a", text="    re\n", language="python", version=2), Stub()
    client.item(document, 6, Span(4, 6), "return")
    assert client.on_screen == "turn"
    client.grown("file:///b", "7", "return 2")
    assert client.on_screen == "turn"
    client.grown("file:///a", "7", "return 1")
    assert client.on_screen == "turn 1"
    assert [method for method, _ in client.sent] == ["textDocument/didShowCompletion"]
    client.item(document, 6, Span(4, 6), "other")
    assert client.on_screen is None


def test_what_has_grown_before_its_answer_was_read_is_shown_grown() -> None:
    document, client = Document(uri="file:///a", text="    re\n", language="python", version=2), Stub()
    client._uri = document.uri
    client.grown("file:///a", "7", "return 1")
    client.item(document, 6, Span(4, 6), "return")
    assert client.on_screen == "turn 1"


class ScriptedCompletion(LlamaCompletion):
    """The client on ``/completion``, whose server streams two pieces."""

    def __init__(self, family: Any) -> None:
        super().__init__(Path("none"), 1, 1024, family)
        self.bodies: list[dict[str, Any]] = []
        chunks = [
            {"content": "", "prompt_progress": {"cache": 2, "processed": 6, "total": 9}},
            {"content": "a", "timings": {"prompt_n": 7, "predicted_n": 1}},
            {"content": "b", "stop": True, "timings": {"prompt_n": 7, "predicted_n": 2}},
        ]
        stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)

        def answer(request: httpx.Request) -> httpx.Response:
            assert request.url.path == "/completion"
            self.bodies.append(json.loads(request.content))
            return httpx.Response(200, text=stream)

        self._http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://peer")


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (QWEN, "<|fim_prefix|>one\nx<|fim_suffix|>\ntwo\n<|fim_middle|>"),
        (CODEGEMMA, "<|fim_prefix|>one\nx<|fim_suffix|>\ntwo\n<|fim_middle|>"),
    ],
)
async def test_the_other_client_of_llama_server_builds_the_familys_prompt(family: Any, expected: str) -> None:
    client, record = ScriptedCompletion(family), Record()
    document, edit = Document(uri="file:///a", text="one\n\ntwo", language="python", version=1), Edit(Span(4, 4), "x")
    await client.open(document, record)
    client.key(document.with_edit(edit, 2), 5, edit)
    await client.close()
    body = client.bodies[0]
    assert (body["prompt"], body["stream"], body["cache_prompt"]) == (expected, True, True)
    assert [answer.insert for answer in record.answers] == ["ab"]
    assert record.screen.shown is not None
    assert record.screen.shown.text == "ab"
    assert (client._read, client._generated) == (7 * len(client.bodies), 2 * len(client.bodies))


def test_its_window_stays_where_it_is_as_long_as_it_fits() -> None:
    client, lines = ScriptedCompletion(QWEN), [f"line {i}\n" for i in range(400)]
    windows = [client._window("".join(lines[: 300 + i]), 1000) for i in range(100)]
    begins = list(dict.fromkeys(window[:8] for window in windows))
    assert all(len(window) <= 1000 and window.startswith("line ") for window in windows)
    assert 2 <= len(begins) <= 5
    assert client._window("short", 1000) == "short"


async def test_a_new_key_ends_the_request_before() -> None:
    client, record = ScriptedCompletion(QWEN), Record()
    document = Document(uri="file:///a", text="", language="python", version=1)
    await client.open(document, record)
    for i, char in enumerate("abc"):
        edit = Edit(Span(i, i), char)
        document = document.with_edit(edit, document.version + 1)
        client.key(document, i + 1, edit)
    await client.close()
    assert "abc" in client.bodies[0]["prompt"]
    assert [answer.version for answer in record.answers] == [document.version]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], (True, True)),
        (["--typist"], (True, False)),
        (["--replay"], (False, True)),
        (["--typist", "--replay"], (True, True)),
        (["--no-typist"], (False, True)),
        (["--no-replay"], (True, False)),
    ],
)
def test_naming_one_of_the_two_runs_it_alone(
    options: list[str], expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[command.BenchOptions] = []
    monkeypatch.setattr(command, "bench", asked.append)
    result = CliRunner().invoke(app, ["bench", *options, "--language", "c", "--language", "lua"])
    assert result.exit_code == 0, result.output
    assert (asked[0].typist, asked[0].replay) == expected
    assert asked[0].languages == ["c", "lua"]


def test_an_unknown_language_is_a_sentence() -> None:
    result = CliRunner().invoke(app, ["bench", "--typist", "--language", "cobol"])
    assert result.exit_code != 0
    assert "The typist does not type cobol; --language takes python" in str(result.exception)


@has_peer
@pytest.mark.timeout(300)
def test_the_whole_typist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(typist_run, "LINES", 400)
    monkeypatch.setattr(typist_run, "OTHERS", 1)
    summary, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    options = ["--typist", "--keys", "12", "--sessions", "1", "--language", "python", "-s", "threads=1"]
    result = CliRunner().invoke(app, ["bench", *options, "--json", str(summary), "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert "characters saved" in result.output
    found = json.loads(summary.read_text("utf-8"))
    assert not found["systems"]
    systems = found["typist"]["systems"]
    assert list(systems) == [SERVER, "llama-server", "llama-server /completion"]
    for system in systems.values():
        assert 0 < system["keys"] <= system["characters"]
        assert system["prefill_tokens_per_key"] > 0
        assert {"cold_open_ms", "jump_ms", "return_ms", "pause_p50_ms", "rss_mb"} <= set(system)
    assert picture.read_bytes().startswith(b"\x89PNG")
