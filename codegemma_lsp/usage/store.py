"""The counts of all sessions, in one SQLite file that only the user may read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from platformdirs import user_state_path

FOLDER_VARIABLE = "CODEGEMMA_STATE"
_BUSY_S = 5.0
"""The number of seconds to wait for another server that writes."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS counts (
    day TEXT NOT NULL,
    language TEXT NOT NULL,
    model TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (day, language, model, what, detail)
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (day, language, model, what, detail) DO UPDATE SET amount = amount + excluded.amount
"""


class What(StrEnum):
    """What is counted. The names are those of Copilot's and Zed's sources, as far as these have one.

    ``SHOWN``, ``ACCEPTED``, ``PARTIALLY_ACCEPTED`` and ``REJECTED`` are numbers of suggestions, and
    ``ACCEPTED_CHARACTERS`` is what was typed by accepting. Of ``FOLLOWED_30S`` and ``FOLLOWED_10MIN`` characters,
    ``KEPT_30S`` and ``KEPT_10MIN`` were still in the code; blanks do not count. ``SILENT`` has a reason as its detail,
    and ``LATENCY`` a number of milliseconds.
    """

    SHOWN = "shown"
    ACCEPTED = "accepted"
    PARTIALLY_ACCEPTED = "partiallyAccepted"
    REJECTED = "rejected"
    ACCEPTED_CHARACTERS = "acceptedCharacters"
    FOLLOWED_30S = "followed30s"
    KEPT_30S = "kept30s"
    FOLLOWED_10MIN = "followed10min"
    KEPT_10MIN = "kept10min"
    SILENT = "silent"
    LATENCY = "latency"
    PREFILL_TOKENS = "prefillTokens"
    COMPLETION_TOKENS = "completionTokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """An amount on a ``day`` (ISO 8601, local time), in a language, with a model."""

    day: str
    language: str
    model: str
    what: What
    detail: str = ""
    amount: int = 1


def state_folder() -> Path:
    """Returns the user's state folder, which may not exist yet."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else user_state_path("codegemma-lsp", appauthor=False)


class Store:
    """The file ``usage.sqlite3`` in a folder. Methods block, and raise ``OSError`` and ``sqlite3.Error``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "usage.sqlite3"

    def add(self, counts: Iterable[Count]) -> None:
        """Adds amounts, all or none."""
        with self._connected() as connection, connection:
            rows = [(c.day, c.language, c.model, c.what.value, c.detail, c.amount) for c in counts]
            connection.executemany(_ADD, rows)

    def read(self) -> list[Count]:
        """Returns all amounts in the order of their days. What a later version counts is left out."""
        if not self.path.exists():
            return []
        known = set(What)
        with self._connected() as connection:
            rows = connection.execute("SELECT day, language, model, what, detail, amount FROM counts ORDER BY day")
            return [
                Count(day=day, language=language, model=model, what=What(what), detail=detail, amount=amount)
                for day, language, model, what, detail, amount in rows
                if what in known
            ]

    def clear(self) -> None:
        """Deletes everything, and overwrites it in the file."""
        if self.path.exists():
            with self._connected() as connection:
                connection.execute("PRAGMA secure_delete = ON")
                with connection:
                    connection.execute("DELETE FROM counts")
                connection.execute("VACUUM")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        self.path.chmod(0o600)
        with closing(sqlite3.connect(self.path, timeout=_BUSY_S)) as connection:
            connection.execute(_SCHEMA)
            yield connection
