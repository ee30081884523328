"""What became of suggestions: counted by the session, kept in a file of the user's, and shown by ``stats``."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import stat
import threading
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot
from rich.console import Console
from typer.testing import CliRunner

from codegemma_lsp.cli.app import app
from codegemma_lsp.cli.stats_tables import calendar, print_stats
from codegemma_lsp.session import usage
from codegemma_lsp.usage import Count, Store, What, summary_of
from tests.test_moments import Typist, typist

DAY = date(2026, 3, 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODEGEMMA_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def amounts(folder: Path) -> dict[str, int]:
    """What was written, but for times and tokens."""
    found: Counter[str] = Counter()
    for count in Store(folder).read():
        if count.what not in (What.LATENCY, What.PREFILL_TOKENS, What.COMPLETION_TOKENS):
            found[" ".join([count.what.value, count.detail]).strip()] += count.amount
    return dict(found)


async def shown(user: Typist) -> Any:
    suggestion = (await user.outcome()).suggestion
    assert suggestion is not None
    return suggestion


def check(user: Typist, number: int) -> None:
    """Does what is done 30 seconds (0) or ten minutes (1) after an acceptance."""
    _, of, still = usage.CHECKS[number]
    for one in list(user.session.usage._following.get(user.uri, ())):
        user.session.usage._check(user.uri, one, of, still)


async def test_what_is_accepted_and_kept(folder: Path) -> None:
    async with typist() as user:
        user.type(" ")
        suggestion = await shown(user)
        user.type(suggestion.text)
        user.session.accept(suggestion.id)
        check(user, 0)
        user.delete(4)
        check(user, 1)
    assert amounts(folder) == snapshot(
        {
            "accepted": 1,
            "acceptedCharacters": 9,
            "followed10min": 7,
            "followed30s": 7,
            "kept10min": 5,
            "kept30s": 7,
            "shown": 1,
        }
    )


async def test_what_is_accepted_in_parts_counts_each_character_once(folder: Path) -> None:
    async with typist() as user:
        user.type(" ")
        suggestion = await shown(user)
        user.type("width")
        user.session.accept_partially(suggestion.id, 5)
        user.session.accept_partially(suggestion.id, 5)
        user.type(" *")
        user.session.accept_partially(suggestion.id, 7)
        user.type(" 2")
        user.session.accept(suggestion.id)
    assert amounts(folder) == snapshot({"accepted": 1, "acceptedCharacters": 9, "partiallyAccepted": 1, "shown": 1})


async def test_a_suggestion_is_shown_once_while_it_is_typed(folder: Path) -> None:
    async with typist() as user:
        user.type(" ")
        await shown(user)
        for char in "wid":
            user.type(char)
            await shown(user)
        user.session.dismiss((await shown(user)).id)
        await user.outcome()
    assert amounts(folder) == snapshot({"rejected": 1, "shown": 1, "silent it was dismissed here": 1})


async def test_a_document_that_is_closed_is_followed_no_more(folder: Path) -> None:
    async with typist() as user:
        user.type(" ")
        suggestion = await shown(user)
        user.type(suggestion.text)
        user.session.accept(suggestion.id)
        one = user.session.usage._following[user.uri][0]
        user.session.close(user.uri)
        user.session.usage._check(user.uri, one, What.FOLLOWED_30S, What.KEPT_30S)
    assert "followed30s" not in amounts(folder)


async def test_the_setting_switches_it_off(folder: Path) -> None:
    async with typist() as user:
        user.session.configure({"usage": False})
        user.type(" ")
        suggestion = await shown(user)
        user.type(suggestion.text)
        user.session.accept(suggestion.id)
        assert not user.session.usage._following
    assert amounts(folder) == {}


async def test_no_code_and_no_path_is_kept(folder: Path) -> None:
    async with typist(uri="file:///secret/place/a.py", said="secret_name * 2") as user:
        user.session.manager.engine.name = "/secret/model"  # type: ignore[union-attr, misc]
        user.type(" ")
        suggestion = await shown(user)
        user.type(suggestion.text)
        user.session.accept(suggestion.id)
        check(user, 1)
    content = (folder / "usage.sqlite3").read_bytes()
    assert b"python" in content
    assert b"secret" not in content


async def test_writing_is_done_in_a_thread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    monkeypatch.setattr(Store, "add", lambda self, counts: threads.append(threading.current_thread().name))
    async with typist() as user:
        user.type(" ")
        await shown(user)
    assert threads == ["codegemma-usage_0"]


async def test_a_folder_that_cannot_be_written_is_nobodys_concern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODEGEMMA_STATE", str(tmp_path / "file"))
    async with typist() as user:
        user.type(" ")
        await shown(user)


def some(what: What, amount: int, detail: str = "", **about: str) -> Count:
    given = {"day": DAY.isoformat(), "language": "python", "model": "nano", **about}
    return Count(what=what, amount=amount, detail=detail, **given)


COUNTS = [
    some(What.SHOWN, 10),
    some(What.ACCEPTED, 4),
    some(What.ACCEPTED_CHARACTERS, 120),
    some(What.FOLLOWED_30S, 100),
    some(What.KEPT_30S, 90),
    some(What.SILENT, 3, "something was just deleted"),
    some(What.SILENT, 5, "the model is unsure"),
    some(What.LATENCY, 9, "45"),
    some(What.LATENCY, 1, "800"),
    some(What.COMPLETION_TOKENS, 1234),
    some(What.SHOWN, 2, language="rust", day="2026-03-03"),
    some(What.ACCEPTED_CHARACTERS, 30, language="rust", day="2026-03-03"),
]


def test_only_the_user_may_read_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    store.add(COUNTS)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_amounts_add_up_also_from_several_servers_at_once(tmp_path: Path) -> None:
    threads = [threading.Thread(target=Store(tmp_path).add, args=(COUNTS,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert summary_of(Store(tmp_path).read()).shown == 5 * 12


def test_what_a_later_version_counts_is_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(COUNTS)
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE counts SET what = 'later' WHERE what = 'shown'")
    connection.close()
    assert summary_of(store.read()).shown == 0


def stats(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["stats", *arguments], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def test_what_stats_shows(folder: Path) -> None:
    console = Console(width=120, record=True, file=io.StringIO(), color_system=None)
    print_stats(console, COUNTS, DAY)
    assert "\n".join(line.rstrip() for line in console.export_text().splitlines()) == snapshot("""\

         saved  shown  accepted  in part  dismissed  kept 30 s  10 min  p50 ms  p95 ms  tokens
 ──────────────────────────────────────────────────────────────────────────────────────────────
 all       150     12         4        0          0        90%       –      45     800   1,234

 python    120     10         4        0          0        90%       –      45     800   1,234
 rust       30      2         0        0          0          –       –       –       –       0

 nano      150     12         4        0          0        90%       –      45     800   1,234

Characters saved, by day
Mon ··························
    ·························░
Wed ·························█
    ·························
Fri ·························
    ·························
Sun ·························

Characters saved in the last 14 days
Feb 19                                          0
Feb 20                                          0
Feb 21                                          0
Feb 22                                          0
Feb 23                                          0
Feb 24                                          0
Feb 25                                          0
Feb 26                                          0
Feb 27                                          0
Feb 28                                          0
Mar  1                                          0
Mar  2                                          0
Mar  3 ██████████                               30
Mar  4 ████████████████████████████████████████ 120

Why nothing was shown
the model is unsure        ████████████████████████████████████████ 5
something was just deleted ████████████████████████                 3\
""")


def test_the_calendar_ends_today() -> None:
    lines = calendar({DAY.isoformat(): 5, (DAY - timedelta(days=7)).isoformat(): 1}, DAY).plain.split("\n")
    assert [line[-2:] for line in lines] == snapshot(["··", "··", "░█", "· ", "· ", "· ", "· "])


def test_stats_as_json(folder: Path) -> None:
    Store(folder).add(COUNTS)
    found = json.loads(stats("--json"))
    assert found["total"] == snapshot(
        {
            "charactersSaved": 150,
            "shown": 12,
            "accepted": 4,
            "partiallyAccepted": 0,
            "rejected": 0,
            "kept30s": 0.9,
            "kept10min": None,
            "latencyP50Ms": 45,
            "latencyP95Ms": 800,
            "prefillTokens": 0,
            "completionTokens": 1234,
            "silent": {"the model is unsure": 5, "something was just deleted": 3},
        }
    )
    assert list(found["days"]) == ["2026-03-03", "2026-03-04"]
    assert list(found["languages"]) == ["python", "rust"]


def test_stats_are_exported_and_cleared(folder: Path, tmp_path: Path) -> None:
    Store(folder).add(COUNTS)
    stats("--export", str(tmp_path / "counts.csv"))
    with (tmp_path / "counts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["amount"]) for row in rows if row["what"] == "shown") == 12
    stats("--clear")
    assert Store(folder).read() == []
    assert b"rust" not in Store(folder).path.read_bytes()


def test_stats_of_nothing(folder: Path) -> None:
    assert stats() == "Nothing has been counted yet.\n"
    assert not folder.exists()


def test_a_file_that_is_no_database_is_a_sentence(folder: Path) -> None:
    folder.mkdir()
    (folder / "usage.sqlite3").write_text("no database, but a text that is long enough to be taken for one" * 20)
    result = CliRunner().invoke(app, ["stats"])
    assert "delete it to begin anew" in str(result.exception)


@pytest.mark.parametrize(("ms", "expected"), [(0.2, 1), (1, 1), (50, 49), (100, 98), (1000, 985)])
def test_latencies_are_rounded(ms: float, expected: int) -> None:
    assert abs(usage.rounded(ms) - ms) <= max(1, 0.06 * ms)
