"""The index of a workspace folder: one SQLite file, with the words in each block of its files, but not their
order."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codegemma_lsp.context.similar import Hit
from codegemma_lsp.files import cache_folder
from codegemma_lsp.index.blocks import Block

_VERSION = 1
_BUSY_S = 10.0
"""The number of seconds to wait for another process that writes."""
_SCHEMA = f"""
CREATE TABLE folder (path TEXT NOT NULL);
CREATE TABLE files (
    path TEXT PRIMARY KEY, changed_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE blocks USING fts5(
    names, path UNINDEXED, first UNINDEXED, last UNINDEXED,
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'", detail = none
);
CREATE VIRTUAL TABLE words USING fts5vocab(blocks, 'row');
PRAGMA user_version = {_VERSION};
"""
_MOST_NAMES = 16
"""The number of names in a search, which are the rarest."""
_COMMON_SHARE, _COMMON_BLOCKS = 0.02, 50
"""A name that more blocks have, as a share and as a number, tells nothing and makes a search slow."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time of a file's last change in nanoseconds, and its size in bytes."""

    changed_ns: int
    size: int


class Index:
    """An index on disk, or in memory without a path. Any thread may call it. Methods block and raise ``sqlite3.Error``
    and ``OSError``."""

    def __init__(self, path: Path | None, folder: Path) -> None:
        """Opens the index of a folder. One that is damaged, of another version or of another folder begins anew."""
        self.path = path
        folder = folder.resolve()
        self._turn = threading.Lock()
        try:
            self._connection = _opened(path, folder)
        except sqlite3.DatabaseError as error:
            if path is None or not is_damage(error):
                raise
            delete(path)
            self._connection = _opened(path, folder)
        self._file = path.stat().st_ino if path is not None else 0

    def is_there(self) -> bool:
        """Returns whether the file that was opened still has its name."""
        try:
            return self.path is None or self.path.stat().st_ino == self._file
        except OSError:
            return False

    def stamps(self) -> dict[str, Stamp]:
        """Returns the files in the index, each as it was when it was read."""
        with self._turn:
            rows = self._connection.execute("SELECT path, changed_ns, size FROM files").fetchall()
        return {path: Stamp(changed_ns, size) for path, changed_ns, size in rows}

    def stamp(self, path: str) -> Stamp | None:
        """Returns a file's stamp when it was read, or None if it is not in the index."""
        with self._turn:
            row = self._connection.execute("SELECT changed_ns, size FROM files WHERE path = ?", (path,)).fetchone()
        return Stamp(*row) if row is not None else None

    def put(self, files: Iterable[tuple[str, Stamp, Collection[Block]]]) -> None:
        """Adds or replaces files, all or none."""
        read = list(files)  # before the file is locked
        with self._turn, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for path, stamp, found in read:
                self._drop(path)
                first = self._last_row() + 1
                self._connection.executemany(
                    "INSERT INTO blocks (rowid, names, path, first, last) VALUES (?, ?, ?, ?, ?)",
                    [
                        (first + number, " ".join(sorted(block.names)), path, block.first, block.last)
                        for number, block in enumerate(found)
                    ],
                )
                row = (path, stamp.changed_ns, stamp.size, first, first + len(found) - 1)
                self._connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", row)

    def remove(self, paths: Iterable[str]) -> None:
        with self._turn, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for path in paths:
                self._drop(path)

    def search(self, names: Collection[str], limit: int) -> list[Hit]:
        """Returns at most ``limit`` blocks with some of the names, ranked by BM25, the best first."""
        with self._turn:
            rare = self._rare(names)
            if not rare:
                return []
            asked = " OR ".join(f'"{name}"' for name in rare)
            query = "SELECT path, first, last FROM blocks WHERE blocks MATCH ? ORDER BY rank LIMIT ?"
            return [Hit(*row) for row in self._connection.execute(query, (asked, limit))]

    def counts(self) -> tuple[int, int]:
        """Returns the number of files and the number of blocks."""
        with self._turn:
            return (
                self._connection.execute("SELECT count(*) FROM files").fetchone()[0],
                self._connection.execute("SELECT count(*) FROM blocks").fetchone()[0],
            )

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def _rare(self, names: Collection[str]) -> list[str]:
        """Returns the names that tell most, which the fewest blocks have."""
        most = max(_COMMON_BLOCKS, _COMMON_SHARE * self._last_row())
        counted = [
            (row[0], word)
            for word in {name.lower() for name in names}
            if (row := self._connection.execute("SELECT doc FROM words WHERE term = ?", (word,)).fetchone())
        ]
        return [word for count, word in sorted(counted) if count <= most][:_MOST_NAMES]

    def _drop(self, path: str) -> None:
        row = self._connection.execute("SELECT first, last FROM files WHERE path = ?", (path,)).fetchone()
        if row is not None:
            self._connection.execute("DELETE FROM blocks WHERE rowid BETWEEN ? AND ?", row)
            self._connection.execute("DELETE FROM files WHERE path = ?", (path,))

    def _last_row(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM blocks_content").fetchone()[0])


_DAMAGE = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: sqlite3.Error) -> bool:
    """Returns whether an index must begin anew. One that is locked, or for which the disk is full, is in use."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOTADB) & 0xFF in _DAMAGE


def _opened(path: Path | None, folder: Path) -> sqlite3.Connection:
    if path is not None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.chmod(0o600)
    connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO folder VALUES (?)", (_stored(folder),))
            known = connection.execute("SELECT path FROM folder").fetchone()
        if version not in (0, _VERSION) or known != (_stored(folder),):
            raise sqlite3.DatabaseError("another index")
    except BaseException:
        connection.close()
        raise
    return connection


def _stored(folder: Path) -> str:
    """Returns a folder's path as text that SQLite takes, also if its bytes are not UTF-8."""
    return os.fsencode(folder).decode("utf-8", "backslashreplace")


def index_path(folder: Path) -> Path:
    """Returns the file of a folder's index in the user's cache. Raises ``OSError``."""
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache_folder("index") / f"{name}.sqlite3"


def delete(path: Path) -> None:
    """Deletes an index and what SQLite keeps beside it. Raises ``OSError``."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()
