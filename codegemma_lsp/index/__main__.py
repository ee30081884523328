"""``python -m codegemma_lsp.index FOLDER`` brings the index of a folder up to date, at the lowest priority.

The server runs it as a process of its own, so that no request waits for the interpreter's lock.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from codegemma_lsp.context import DiskFiles, Workspace
from codegemma_lsp.index.build import update
from codegemma_lsp.index.store import Index, delete, index_path, is_damage

_LOWEST = 19


def _update(folder: Path) -> None:
    files = DiskFiles(root=folder, workspace=Workspace((folder,), lambda _: None), packages=False)
    with closing(Index(index_path(folder), folder)) as index:
        update(index, files)


def main(folder: Path) -> int:
    if hasattr(os, "nice"):
        os.nice(_LOWEST)
    try:
        try:
            _update(folder)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            delete(index_path(folder))
            _update(folder)
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{folder} cannot be indexed ({error}).\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
