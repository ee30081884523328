"""The index of a folder, and the similar code that is found in it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from codegemma_lsp.context import CursorInFile, DiskFiles, Workspace, similar_code
from codegemma_lsp.context.similar import names_in
from codegemma_lsp.index.blocks import blocks
from codegemma_lsp.index.build import Report, update, update_file
from codegemma_lsp.index.store import Index, Stamp, index_path
from codegemma_lsp.session.code_index import CodeIndex

ORDERS = '''\
"""Reads orders."""

import json


def read_orders(path):
    rows = []
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record["paid"]:
                rows.append(Order(record["sku"], record["cents"]))
    rows.sort(key=lambda order: order.cents)
    log.info("read %d orders from %s", len(rows), path)
    return rows


def total(orders):
    return sum(order.cents for order in orders)
'''
REFUNDS = """\
def read_refunds(path):
    rows = []
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record["paid"]:
<CURSOR>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "orders.py").write_text(ORDERS)
    return root


def files_in(root: Path) -> DiskFiles:
    return DiskFiles(root=root, workspace=Workspace((root,), lambda _: None))


def indexed(root: Path) -> Index:
    index = Index(None, root)
    update(index, files_in(root))
    return index


def found(root: Path, marked: str = REFUNDS, *, path: str = "refunds.py", language: str = "python") -> list[str]:
    """Returns the texts of similar code at a cursor."""
    before, _, after = marked.partition("<CURSOR>")
    cursor = CursorInFile(path=path, language=language, text=before + after, offset=len(before))
    with closing(indexed(root)) as index:
        return [piece.text for piece in similar_code(index.search)(cursor, files_in(root))]


def test_similar_code_comes_with_the_lines_that_follow_it(folder: Path) -> None:
    assert found(folder) == snapshot(
        [
            """\
import json


def read_orders(path):
    rows = []
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record["paid"]:
                rows.append(Order(record["sku"], record["cents"]))
    rows.sort(key=lambda order: order.cents)
    log.info("read %d orders from %s", len(rows), path)
    return rows


def total(orders):
    return sum(order.cents for order in orders)
"""
        ]
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / "orders.py").rename(root / "refunds.py"), id="the file itself"),
        pytest.param(lambda root: (root / "orders.py").rename(root / "orders.js"), id="another language"),
        pytest.param(lambda root: (root / ".gitignore").write_text("orders.py\n"), id="an ignored file"),
        pytest.param(lambda root: (root / "orders.py").rename(root / "secrets.py"), id="a secret by its name"),
        pytest.param(lambda root: (root / "orders.py").write_text("x = 1\n" * 40_000), id="a file of data"),
        pytest.param(lambda root: (root / "orders.py").write_bytes(b"\xff" + ORDERS.encode()), id="no UTF-8"),
        pytest.param(lambda root: (root / "orders.py").unlink(), id="nothing"),
    ],
)
def test_what_is_not_found(change: Callable[[Path], object], folder: Path) -> None:
    assert found(folder)
    change(folder)
    assert found(folder) == []


def test_a_link_leads_nowhere(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "orders.py").rename(tmp_path / "outside" / "orders.py")
    (folder / "inside").symlink_to(tmp_path / "outside")
    (folder / "orders.py").symlink_to(tmp_path / "outside" / "orders.py")
    (folder / "round").symlink_to(folder)
    assert found(folder) == []


def test_few_names_are_like_anything(folder: Path) -> None:
    assert found(folder, "import json\n<CURSOR>\n") == []


def test_a_copy_of_the_file_itself_tells_nothing(folder: Path) -> None:
    (folder / "old_refunds.py").write_text(REFUNDS.replace("<CURSOR>\n", ""))
    assert [text for text in found(folder) if "read_refunds" in text] == []


def test_code_that_has_changed_since_is_shown_as_it_is(folder: Path) -> None:
    before, _, after = REFUNDS.partition("<CURSOR>")
    cursor = CursorInFile(path="refunds.py", language="python", text=before + after, offset=len(before))
    with closing(indexed(folder)) as index:
        (folder / "orders.py").write_text("# moved\n" * 3 + ORDERS)
        assert ["read_orders" in piece.text for piece in similar_code(index.search)(cursor, files_in(folder))] == [True]
        (folder / "orders.py").write_text("")
        assert list(similar_code(index.search)(cursor, files_in(folder))) == []


def test_keys_and_hashes_are_no_names() -> None:
    assert names_in('key = "AKIAIOSFODNN7EXAMPLE1234", sha = a9993e364706816aba3e, read_orders2') == snapshot(
        frozenset({"key", "sha", "read_orders2"})
    )


@given(st.lists(st.sampled_from(["", "    a = name", "def name():", "  # other", "\tname"]), max_size=150))
def test_blocks_have_every_line_with_a_name_once(lines: list[str]) -> None:
    found = list(blocks("\n".join(lines)))
    covered = [number for block in found for number in range(block.first, block.last + 1)]
    assert covered == sorted(set(covered))
    assert {number for number, line in enumerate(lines) if names_in(line)} <= set(covered)
    assert all(block.last - block.first < 60 for block in found)


def test_only_what_has_changed_is_read_again(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "prices.py").write_text("def price(item): return item.price\n")
    with closing(Index(None, folder)) as index:
        reports = [update(index, files_in(folder))]
        reports.append(update(index, files_in(folder)))
        (folder / "lib" / "prices.py").write_text("def price_of(item): return item.price\n")
        (folder / "orders.py").unlink()
        reports.append(update(index, files_in(folder)))
        assert reports == [
            Report(files=2, read=2, dropped=0),
            Report(files=2, read=0, dropped=0),
            Report(files=1, read=1, dropped=1),
        ]
        assert [hit.path for hit in index.search(["price_of"], 5)] == ["lib/prices.py"]
        assert index.search(["read_orders", "price"], 5) == index.search(["price"], 5)


def test_one_file_is_read_again_or_dropped(folder: Path) -> None:
    with closing(indexed(folder)) as index:
        (folder / "orders.py").write_text("def entirely_new(): ...\n")
        update_file(index, files_in(folder), "orders.py")
        assert [hit.path for hit in index.search(["entirely_new"], 5)] == ["orders.py"]
        assert index.search(["read_orders"], 5) == []
        (folder / ".gitignore").write_text("orders.py\n")
        update_file(index, files_in(folder), "orders.py")
        update_file(index, files_in(folder), "../outside.py")
        assert index.stamps() == {}


def test_names_that_every_block_has_are_not_searched(folder: Path) -> None:
    with closing(Index(None, folder)) as index:
        many = [(f"{n}.py", Stamp(n, 1), list(blocks(f"def common(): return own_{n}"))) for n in range(120)]
        index.put(many)
        assert index.search(["common"], 5) == []
        assert [hit.path for hit in index.search(["common", "own_7"], 5)] == ["7.py"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no database" * 500, id="damaged"),
    ],
)
def test_an_index_that_cannot_be_used_begins_anew(content: bytes, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    path.write_bytes(content)
    with closing(Index(path, folder)) as index:
        update(index, files_in(folder))
        assert index.counts()[0] == 1
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_index_of_another_folder_is_not_taken(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    with closing(Index(path, tmp_path)) as index:
        index.put([("private.py", Stamp(1, 1), list(blocks("private_name = 1")))])
    with closing(Index(path, folder)) as index:
        assert index.stamps() == {}


def run(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "codegemma_lsp", "index", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return f"{done.returncode}: {done.stdout}{done.stderr}"


def test_the_index_is_shown_rebuilt_and_deleted(folder: Path) -> None:
    assert "0: " in (shown := run("status", cwd=folder))
    assert "has no index; the server makes one" in shown
    assert "shop: 1 files in" in run("rebuild", cwd=folder)
    assert "shop: 1 files in 2 blocks" in run("status", str(folder), cwd=folder.parent)
    assert index_path(folder).exists()
    assert "is deleted" in run("clear", cwd=folder)
    assert not list(index_path(folder).parent.glob(f"{index_path(folder).name}*"))
    assert run("status", "nowhere", cwd=folder).startswith("2: codegemma-lsp: There is no folder")


def test_a_locked_index_stays_as_it_is(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.sqlite3"
    with closing(Index(path, folder)) as index:
        update(index, files_in(folder))
    monkeypatch.setattr("codegemma_lsp.index.store._BUSY_S", 0)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            Index(path, folder)
    with closing(Index(path, folder)) as index:
        assert list(index.stamps()) == ["orders.py"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names in Unicode")
def test_a_name_that_is_no_unicode_is_left_out(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    with closing(indexed(folder)) as index:
        update_file(index, files_in(folder), os.fsdecode(b"caf\xe9.py"))
        assert list(index.stamps()) == ["orders.py"]


def test_what_a_scan_passes_over_is_not_read_when_it_is_saved(folder: Path) -> None:
    for path in (".history/orders_2026.py", "node_modules/a/index.js", "lib/site-packages/b.py"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text("def saved(): ...\n")
    with closing(indexed(folder)) as index:
        for path in (".history/orders_2026.py", "node_modules/a/index.js", "lib/site-packages/b.py"):
            update_file(index, files_in(folder), path)
        assert list(index.stamps()) == ["orders.py"]


def test_a_folder_that_is_gone_keeps_its_index(folder: Path) -> None:
    with closing(indexed(folder)) as index:
        folder.rename(folder.with_name("away"))
        with pytest.raises(FileNotFoundError):
            update(index, files_in(folder))
        assert list(index.stamps()) == ["orders.py"]


def test_the_cursors_own_file_takes_no_others_place(folder: Path) -> None:
    before = REFUNDS.partition("<CURSOR>")[0]
    (folder / "refunds.py").write_text("\n\n".join([before.replace("read_refunds", f"read_{n}") for n in range(20)]))
    assert len(found(folder)) == 1


async def test_code_of_the_workspace_is_not_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are started in the workspace."""
    monkeypatch.setattr("codegemma_lsp.session.code_index._SETTLE_S", 0)
    (folder / "pathspec.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(folder)
    kept = CodeIndex()
    kept.source(folder)
    async with asyncio.timeout(60):
        await asyncio.gather(*kept._builds.values())
    await kept.shut_down()
    assert index_path(folder).exists()
    assert not (tmp_path / "ran").exists()


async def test_a_session_reads_the_folder_beside_and_follows_what_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codegemma_lsp.session.code_index._SETTLE_S", 0)
    before, _, after = REFUNDS.partition("<CURSOR>")
    cursor = CursorInFile(path="refunds.py", language="python", text=before + after, offset=len(before))
    kept = CodeIndex()

    async def similar() -> list[str]:
        source = kept.source(folder)
        return await asyncio.to_thread(lambda: [piece.path for piece in source(cursor, files_in(folder))])

    async def until(expected: list[str]) -> None:
        async with asyncio.timeout(60):
            while await similar() != expected:
                await asyncio.sleep(0.05)

    try:
        await until(["orders.py"])
        (folder / "orders.py").rename(folder / "sales.py")
        kept.changed(files_in(folder), ["orders.py", "sales.py"])
        await until(["sales.py"])
    finally:
        await kept.shut_down()
