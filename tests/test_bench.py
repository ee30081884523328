"""The bench: sessions that come out as the file they began from, llama.vim line by line, and a short run of it
all on the real servers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from codegemma_lsp.benchmarks.statistics import percentile
from codegemma_lsp.benchmarks.typing import baseline, report, windows
from codegemma_lsp.benchmarks.typing.baseline import LlamaVim
from codegemma_lsp.benchmarks.typing.lengths import measure
from codegemma_lsp.benchmarks.typing.replay import Answer, Counters, Pressed, Record, play
from codegemma_lsp.benchmarks.typing.run import MECHANICS, beside
from codegemma_lsp.benchmarks.typing.server import SERVER, CodegemmaServer
from codegemma_lsp.benchmarks.typing.sessions import Act, Key, Rhythm, Session, session, sessions, sources
from codegemma_lsp.benchmarks.typing.summary import Measured, summarize
from codegemma_lsp.cli.app import app
from codegemma_lsp.document import Document, Edit, Span
from codegemma_lsp.engines.host import client
from codegemma_lsp.engines.protocol import ModelNotFound
from codegemma_lsp.settings import Settings, parse

has_baseline = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is missing: pip install 'codegemma-lsp[bench]'"
)


class Always:
    """Suggests the same text after every key, at once."""

    name = "always"

    def __init__(self, suggests: str) -> None:
        self.suggests = suggests
        self.documents: list[Document] = []
        self.moves: list[int] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def open(self, document: Document, record: Record) -> None:
        self.record, self.documents = record, [document]

    def key(self, document: Document, offset: int, edit: Edit) -> bool:
        self.documents.append(document)
        self.record.answer(document.version, self.suggests, Span(offset, offset), reused=False)
        return True

    def move(self, document: Document, offset: int) -> None:
        self.moves.append(offset)

    async def close(self) -> None: ...

    async def counters(self) -> Counters:
        return Counters()

    async def cancel(self, document: Document, offset: int, after_s: float) -> tuple[float, int | None] | None:
        return None


@pytest.mark.parametrize("suggests", ["", "x", "one two\nthree"])
@pytest.mark.parametrize("number", range(3))
async def test_a_session_ends_with_the_file_it_was_made_of(number: int, suggests: str) -> None:
    """Whatever is suggested and accepted in between."""
    played, system = sessions(seed=1)[number], Always(suggests)
    record = await play(played, system, Rhythm.FAST)
    texts = [document.text for document in system.documents]
    assert played.text == texts[0] != texts[-1] == list(sources().values())[number]
    accepts = [key for key in played.keys if key.act in (Act.ACCEPT, Act.ACCEPT_WORD)]
    keys = sum(key.act not in (Act.MOVE, Act.ACCEPT, Act.ACCEPT_WORD, Act.UNDO) for key in played.keys)
    assert len(accepts) == 3
    assert len(record.keys) == len(texts) - 1 == keys + (2 * len(accepts) if suggests else 0)
    assert len(system.moves) == 4
    for number, pressed in ((p.number, p) for p in record.keys.values()):
        assert played.keys[number].act is pressed.act


async def test_undoing_puts_the_cursor_where_it_was() -> None:
    class Closing(Always):
        def key(self, document: Document, offset: int, edit: Edit) -> bool:
            offsets.append(offset)
            return super().key(document, offset, edit)

    offsets: list[int] = []
    at = sessions()[0].keys[0].span.start
    keys = (
        Key(act=Act.TYPE, span=Span(at, at), text="("),
        Key(act=Act.ACCEPT, span=Span(at, at)),
        Key(act=Act.UNDO, span=Span(at, at)),
    )
    await play(Session("a.py", sessions()[0].text, keys), Closing("x)"), Rhythm.FAST)
    assert offsets == [at + 1, at + 3, at + 1]


def test_sessions_are_repeatable_and_a_persons() -> None:
    assert sessions(3) == sessions(3) != sessions(4)
    gaps = [key.gap_ms for key in sessions()[0].keys if key.act is Act.TYPE]
    assert 100 < percentile(gaps, 50) < 220
    short = session("a.py", sources()["document.py"], random.Random(0), 40, most=9)
    assert len(short.keys) == 9


def record_of(asked: dict[int, bool], answers: list[tuple[float, int]], acts: dict[int, Act] | None = None) -> Record:
    """A key a second, from second 0 on."""
    record = Record()
    for number, (version, was_asked) in enumerate(asked.items()):
        record.keys[version] = Pressed(
            at=float(number), number=number, act=(acts or {}).get(version, Act.TYPE), asked=was_asked
        )
    record.answers = [
        Answer(at=at, version=version, insert="x" * (version % 2), span=Span(0, 0), reused=version == 3)
        for at, version in answers
    ]
    return record


@pytest.mark.parametrize(
    ("asked", "answers", "expected"),
    [
        pytest.param({2: True, 3: True}, [(0.5, 2), (1.1, 3)], [500, 100], id="each answered"),
        pytest.param({2: True, 3: True}, [(1.5, 3)], [1500, 500], id="overtaken, so it waits on"),
        pytest.param({2: True, 3: True}, [(0.25, 2)], [250, None], id="never answered"),
        pytest.param({2: False, 3: True}, [(1.5, 3)], [None, 500], id="not asked"),
        pytest.param({2: True, 3: False, 4: True}, [(2.5, 4)], [None, None, 500], id="left before it was answered"),
    ],
)
def test_how_long_a_key_waits(
    asked: dict[int, bool], answers: list[tuple[float, int]], expected: list[float | None]
) -> None:
    record = record_of(asked, answers)
    assert [record.waited_ms(version) for version in asked] == [
        None if ms is None else pytest.approx(ms) for ms in expected
    ]


def test_shares_are_of_keys() -> None:
    asked = dict.fromkeys((2, 3, 4, 5), True)
    record = record_of(asked, [(0.1, 2), (1.1, 3), (1.2, 3), (2.2, 4), (3.3, 5)], {5: Act.ACCEPT})
    record.prefill_tokens, record.completion_tokens = {4: 30, 2: 10}, {4: 6}
    summary = summarize(
        Measured(
            [record],
            [Counters(prefill_tokens=40, completion_tokens=8, rejected_tokens=4, cpu_s=2.0, rss_mb=100.0)],
            [(3.0, 0), (5.0, 64)],
        )
    )
    assert (summary.keys, summary.answered_share, summary.shown_share, summary.reuse_share) == (4, 1.0, 0.5, 0.25)
    assert (summary.prefill_tokens_per_key, summary.completion_tokens_per_key, summary.cpu_s_per_100_keys) == (
        10,
        2,
        50,
    )
    assert (summary.rejected_tokens_per_key, summary.cancel_ms_p95, summary.prefill_tokens_after_cancel) == (1, 5.0, 64)
    assert summary.p99_ms == pytest.approx(200)
    assert (summary.slowest_prefill_tokens, summary.slowest_completion_tokens) == (30, 6)
    assert summary.accept_p50_ms == pytest.approx(300)


def test_latency_is_compared_over_keys_that_both_were_asked_about() -> None:
    one = Measured([record_of({2: True, 3: True}, [(0.1, 2), (1.9, 3)])], [Counters(prefill_tokens=8)])
    other = Measured([record_of({2: True, 3: False}, [(0.2, 2)])], [Counters(prefill_tokens=16)])
    found = report.systems({SERVER: one, "llama-server": other})
    assert [system["p99_ms"] for system in found.values()] == [100, 200]
    assert report.ratios(found) == {"p50_ms": 0.5, "p95_ms": 0.5, "prefill_tokens_per_key": 0.5}
    assert report.ratios({SERVER: found[SERVER]}) == {}


def test_nothing_measured_is_null_and_not_nan() -> None:
    found = report.systems({SERVER: Measured(), "llama-server": Measured()})
    assert json.loads(json.dumps(found, allow_nan=False))[SERVER]["p50_ms"] is None
    assert report.ratios(found) == {}
    assert report.systems_table("Nothing", found).row_count == len(report.ROWS)


class Scripted(LlamaVim):
    """llama.vim, whose server says ``content`` after ``takes`` seconds."""

    def __init__(self, content: str, takes: float = 0.0, status: int = 200) -> None:
        super().__init__(Path("none"), 1, 1024)
        self.content, self.takes, self.status = content, takes, status
        self.bodies: list[dict[str, Any]] = []

        async def answer(request: httpx.Request) -> httpx.Response:
            self.bodies.append(json.loads(request.content))
            await asyncio.sleep(self.takes)
            return httpx.Response(
                self.status, json={"content": self.content, "timings": {"prompt_n": 7, "predicted_n": 3}}
            )

        self._http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://baseline")


async def typed(client: Scripted, document: Document, offset: int, text: str) -> Document:
    edit = Edit(Span(offset, offset), text)
    document = document.with_edit(edit, document.version + 1)
    client.key(document, offset + len(text), edit)
    return document


TEXT = "".join(f"line {i}\n" for i in range(400))
AT = TEXT.index("line 300\n")


async def test_the_baseline_sends_what_llama_vim_sends() -> None:
    client, record = Scripted("ab\ncd"), Record()
    document = Document(uri="file:///a", text=TEXT[:AT] + "\n" + TEXT[AT:], language="python", version=1)
    await client.open(document, record)
    await typed(client, document, AT, "x")
    await client.close()
    first, ahead = client.bodies[:2]
    assert first["input_prefix"] == "".join(f"line {i}\n" for i in range(44, 300))
    assert (first["prompt"], first["n_indent"], first["t_max_predict_ms"]) == ("x", 0, 250)
    assert first["input_suffix"] == "\n" + "".join(f"line {i}\n" for i in range(300, 364))
    assert ahead["prompt"] == "cd"
    assert ahead["input_prefix"].endswith("line 299\nxab\n")
    assert ahead["t_max_predict_ms"] == 1000
    assert [(answer.insert, answer.reused) for answer in record.answers] == [("ab\ncd", False)]


async def test_an_error_of_llama_server_ends_the_run() -> None:
    client, record = Scripted("", status=400), Record()
    document = Document(uri="file:///a", text="", language="python", version=1)
    await client.open(document, record)
    await typed(client, document, 0, "x")
    with pytest.raises(RuntimeError, match=r"llama-server failed .*400"):
        await client.close()
    with pytest.raises(RuntimeError, match="llama-server failed"):
        await record.until_answered(2, 60)


@pytest.mark.parametrize(
    ("content", "before", "rest", "below", "expected"),
    [
        (["foo"], "", "", ["bar"], False),
        (["foo)"], "", "foo)", [], True),
        (["", "bar", "baz"], "x", "", ["bar", "baz", "end"], True),
        (["bar"], "    ", "", ["", "    bar", "end"], True),
        (["bar", "ba"], "", "", ["bar", "baz", "end"], True),
        (["bar", "baz", "end"], "", "", ["bar", "baz", "end"], True),
        (["bar", "baz", "other"], "", "", ["bar", "baz", "end"], False),
    ],
)
def test_what_llama_vim_does_not_show(
    content: list[str], before: str, rest: str, below: list[str], expected: bool
) -> None:
    assert baseline.repeats(content, before, rest, below) is expected


async def test_a_blank_line_is_asked_from_its_start_and_keeps_what_is_there() -> None:
    client, record = Scripted("        return 1"), Record()
    document = Document(uri="file:///a", text="def f():\n    \nx\n", language="python", version=1)
    await client.open(document, record)
    await typed(client, document, len("def f():\n    "), " ")
    await client.close()
    assert [client.bodies[0][key] for key in ("prompt", "n_indent", "input_suffix")] == ["", 0, "\nx\n"]
    assert record.answers[0].insert == "   return 1"


async def test_llama_vim_answers_typing_through_from_its_cache() -> None:
    client, record = Scripted("abc"), Record()
    document = Document(uri="file:///a", text="", language="python", version=1)
    await client.open(document, record)
    document = await typed(client, document, 0, "x")
    await client.close()
    asked = len(client.bodies)
    document = await typed(client, document, 1, "a")
    document = await typed(client, document, 2, "b")
    assert [(answer.insert, answer.reused) for answer in record.answers] == [("abc", False), ("bc", True), ("c", True)]
    await client.close()
    # As if the rest were accepted it is known already; where the text now ends it is not.
    assert all(body["prompt"] != "xab" for body in client.bodies[:asked])
    assert (client._read, client._generated) == (7 * len(client.bodies), 3 * len(client.bodies))


async def test_llama_vim_has_one_request_at_a_time_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "RETRY_S", 0.01)
    client, record = Scripted("", takes=0.05), Record()
    document = Document(uri="file:///a", text="", language="python", version=1)
    await client.open(document, record)
    for i, char in enumerate("abcd"):
        document = await typed(client, document, i, char)
        await asyncio.sleep(0.005)
    await client.close()
    assert [body["prompt"] for body in client.bodies] == ["a", "abcd"]
    assert [answer.version for answer in record.answers] == [document.version]


async def test_llama_vim_does_not_ask_in_the_middle_of_a_line() -> None:
    client, record = Scripted("x"), Record()
    document = Document(uri="file:///a", text="value = something(else)", language="python", version=1)
    await client.open(document, record)
    edit = Edit(Span(0, 0), "a")
    assert not client.key(document.with_edit(edit, 2), 1, edit)
    await client.close()
    assert not client.bodies


def test_each_switch_changes_a_setting() -> None:
    for name, switched in MECHANICS.items():
        settings, problems = parse(dict(switched))
        assert not problems
        assert (settings != Settings()) is not name.startswith("everything on")


async def test_a_server_that_does_not_answer_is_not_quick() -> None:
    server = CodegemmaServer("off", {"threads": 1, "disabledLanguages": ["python"]})
    await server.start()
    try:
        with pytest.raises(RuntimeError, match="off cannot answer: suggestions are off for python"):
            await play(sessions(keys=3)[0], server, Rhythm.FAST)
    finally:
        await server.stop()


async def test_a_server_that_does_not_get_ready_says_why() -> None:
    server = CodegemmaServer("broken", {"model": "/no/such/model.gguf"})
    with pytest.raises(RuntimeError, match="There is no model file at"):
        await server.start()
    await server.stop()


async def test_reads_by_key_come_to_all_that_was_read() -> None:
    """What is read ahead and for cancelled requests is in the picture too."""
    server = CodegemmaServer(SERVER, {"threads": 1, "minConfidence": -9})
    measured = (await beside([server], sessions(keys=14)[:1], Rhythm.PERSON, lambda what: None))[SERVER]
    assert sum(measured.records[0].prefill_tokens.values()) == measured.used[0].prefill_tokens > 0


async def test_what_a_key_costs_is_measured_in_files_of_any_length() -> None:
    short, long = await measure({"threads": 1, "minConfidence": -9}, lengths=(100, 3000))
    assert (short.lines, long.lines) == (100, 3000)
    for length in (short, long):
        assert 0 < length.own_p50_ms <= length.own_p95_ms
        assert 0 < length.loop_p99_ms <= length.loop_max_ms


@has_baseline
def test_the_whole_bench(tmp_path: Path) -> None:
    summary, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    options = [
        "--replay",
        "--keys",
        "7",
        "--sessions",
        "1",
        "--rhythm",
        "fast",
        "--no-mechanics",
        "--no-lengths",
        "--no-chats",
        "-s",
        "threads=1",
    ]
    result = CliRunner().invoke(app, ["bench", *options, "--json", str(summary), "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert "key to answer" in result.output
    found = json.loads(summary.read_text("utf-8"))
    assert list(found["systems"]) == [SERVER, "llama-server"]
    for system in found["systems"].values():
        assert system["keys"] == 6
        assert system["prefill_tokens_per_key"] > 0
        assert system["cpu_s_per_100_keys"] > 0
        expected = {"p50_ms", "p95_ms", "completion_tokens_per_key", "reuse_share", "cancel_ms_p95", "rss_mb"}
        assert expected <= set(system)
    assert set(found["ratios"]["fast"]) == {"p50_ms", "p95_ms", "prefill_tokens_per_key", "cpu_s_per_100_keys"}
    assert found["systems"][SERVER]["prefill_tokens_after_cancel"] <= Settings().batch_tokens
    assert found["systems"]["llama-server"]["prefill_tokens_after_cancel"] is None
    assert {"model", "settings", "kernels", "baseline"} <= set(found["about"])
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json", "/no/such/folder/a.json"], "There is no folder /no/such/folder"),
        (["--plot", "picture.xyz"], "name a file that ends in .png"),
        (["--no-baseline", "--model", "/no/such/model.gguf"], "There is no model file at"),
    ],
)
def test_bad_usage_is_a_sentence(options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["bench", "--keys", "4", *options])
    assert result.exit_code != 0
    assert said in str(result.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_windows_share_a_host_of_the_benchs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "select_chat", without_chat)
    monkeypatch.setattr(windows, "_READS_S", 0.1)
    summary = tmp_path / "bench.json"
    result = CliRunner().invoke(
        app, ["bench", "--windows", "2", "--keys", "6", "-s", "threads=1", "--json", str(summary)]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(summary.read_text())["windows"]
    assert [found[name]["keys"] > 0 for name in ("lone_own", "lone_shared", "own", "shared")] == [True] * 4
    assert found["shared"]["memory_mb"] < 0.75 * found["own"]["memory_mb"]
    assert len(found["shared"]["engine_shares"]) == 2
    assert sum(found["shared"]["engine_shares"]) == pytest.approx(1)
    assert found["beside_chat"] is None
    assert "2, through the host" in result.output
    assert client.status() is None, "nobody else's host was asked"


def without_chat(_: Settings) -> None:
    raise ModelNotFound("There is none.")


def test_each_window_has_a_file_of_its_own() -> None:
    played = windows.sessions_of(5, seed=3, keys=40)
    assert len({one.name for one in played}) == 5
    assert played == windows.sessions_of(5, seed=3, keys=40)
    assert all(len(one.keys) == 40 for one in played)
