"""A disk that is full after a random number of bytes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from codegemma_lsp.context import DiskFiles, Workspace
from codegemma_lsp.files import create_whole, replace_whole
from codegemma_lsp.index.build import update
from codegemma_lsp.index.store import Index
from scripts.trials.sources import excerpt
from scripts.trials.trial import Case, LeftOut, Trial, check

_MOST = 300_000


@asynccontextmanager
async def _prepared(folder: Path) -> AsyncIterator[Case]:
    try:
        import resource
    except ImportError:
        raise LeftOut("this system does not limit the size of files") from None
    assert resource
    count = 0

    async def case(chance: random.Random) -> int:
        nonlocal count
        count += 1
        own = folder / str(count)
        own.mkdir()
        for part in (_replaced, _created, _indexed):
            part(chance, own)
        return 3

    yield case


@contextmanager
def _full_after(size: int) -> Iterator[None]:
    """Lets no file grow beyond a size, as on a full disk: the system refuses to write."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _replaced(chance: random.Random, folder: Path) -> None:
    """A file, which may have two names, has the old text or the new one, and nothing is left beside it."""
    target, other = folder / "a.py", folder / "b.py"
    old, new = chance.randbytes(chance.randrange(_MOST)), chance.randbytes(chance.randrange(_MOST))
    limit = chance.randrange(_MOST)
    target.write_bytes(old)
    if chance.random() < 0.3:
        limit = max(limit, len(old))  # what is there has its place
        other.hardlink_to(target)
    names = sorted(folder.iterdir())
    is_written = False
    with suppress(OSError), _full_after(limit):
        replace_whole(target, new)
        is_written = True
    expected = new if len(new) <= limit else old
    check(is_written == (len(new) <= limit), f"{len(new)} bytes with room for {limit}: written is {is_written}")
    check(target.read_bytes() == expected, f"a file of {len(old)} bytes is damaged by {len(new)} with room for {limit}")
    check(sorted(folder.iterdir()) == names, f"files are left: {sorted(one.name for one in folder.iterdir())}")


def _created(chance: random.Random, folder: Path) -> None:
    """A new file is whole, or is not there."""
    target, new, limit = folder / "new.py", chance.randbytes(chance.randrange(_MOST)), chance.randrange(_MOST)
    names = sorted(folder.iterdir())
    with suppress(OSError), _full_after(limit):
        create_whole(target, new)
    if len(new) <= limit:
        check(target.read_bytes() == new, f"a new file of {len(new)} bytes is not whole")
        target.unlink()
    check(sorted(folder.iterdir()) == names, f"files are left: {sorted(one.name for one in folder.iterdir())}")


def _indexed(chance: random.Random, folder: Path) -> None:
    """An index that could not be written fails with an error that is expected, and is whole once there is room."""
    root = folder / "workspace"
    root.mkdir()
    for number in range(chance.randint(1, 8)):
        (root / f"{number}.py").write_text(excerpt(chance, 200, "python")[1])
    files = DiskFiles(root=root, workspace=Workspace((root,), lambda _: None))
    path = folder / "index.sqlite"
    with suppress(sqlite3.Error, OSError), _full_after(chance.randrange(_MOST)):
        update(Index(path, root), files)
    index = Index(path, root)
    update(index, files)
    found = sorted(index.stamps())
    expected = sorted(one.name for one in root.iterdir() if one.stat().st_size)
    check(set(expected) <= set(found), f"the index has {found} and not {expected}")


TRIAL = Trial(
    name="disk",
    about="full at any byte: old files stay whole",
    unit="writes",
    weight=6,
    prepared=_prepared,
)
