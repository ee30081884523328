"""Writes files whole or not at all, and checks before long work that they can be written."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

from codegemma_lsp.extras import install_command


class BadOutput(Exception):
    """Nothing can be written to a path. ``str()`` is one sentence that says what to do."""


def check_writable(*paths: Path | None) -> None:
    """Raises ``BadOutput`` if a file cannot be written to one of the paths."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise BadOutput(f"There is no folder {path.absolute().parent}; make it first, or name another file.")
        if path is not None and path.is_dir():
            raise BadOutput(f"{path} is a folder; name a file.")
        if path is not None and not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            raise BadOutput(f"{path} may not be written; name another file.")


def check_folder(path: Path | None) -> None:
    """Raises ``BadOutput`` if the folder can neither be made nor written to."""
    if path is None:
        return
    above = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise BadOutput(f"{path} may not be written; name another folder.")


def check_picture(path: Path | None, extra: str) -> None:
    """Raises ``BadOutput`` if matplotlib, which ``extra`` installs, is missing or cannot write such a file."""
    if path is None:
        return
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise BadOutput(f"The package matplotlib is missing; install it with: {install_command(extra)}") from None
    if path.suffix.removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise BadOutput(f"A plot cannot be written as {path.name}; name a file that ends in .png, .svg or .pdf.")


def replace_whole(target: Path, content: bytes) -> None:
    """Puts ``content`` in a file's place in one step. Its permissions and its owner stay; a new file may be read by
    everybody. A file with more names (hard links), or whose owner cannot be kept, is written in place, so that it stays
    one file. Raises ``OSError``, with the file as it was."""
    known = target.stat() if target.exists() else None
    if known is not None and known.st_nlink > 1:
        _write_in_place(target, content)
        return
    with _written_aside(target, content) as aside:
        if known is None:
            aside.chmod(0o644)
        else:
            shutil.copymode(target, aside)
        if known is not None and not _is_given_to(aside, known):
            _write_in_place(target, content)
        else:
            aside.replace(target)


def create_whole(target: Path, content: bytes) -> None:
    """Creates a file with ``content``, or none at all. Raises ``OSError``: ``FileExistsError`` if there is one."""
    with _written_aside(target, content) as aside:
        aside.chmod(0o666 & ~_umask())
        try:
            target.hardlink_to(aside)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with target.open("xb"):
                pass
            aside.replace(target)


@contextmanager
def _written_aside(target: Path, content: bytes) -> Iterator[Path]:
    """Gives a hidden file beside ``target`` that has the content. It is deleted if it is there afterwards."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def _is_given_to(path: Path, owner: os.stat_result) -> bool:
    """Gives a file to the owner and the group of another one. Returns whether it has them."""
    status = path.stat()
    if (status.st_uid, status.st_gid) == (owner.st_uid, owner.st_gid):
        return True
    try:
        os.chown(path, owner.st_uid, owner.st_gid)
    except OSError:
        return False
    return True


def _write_in_place(target: Path, content: bytes) -> None:
    before = target.read_bytes()
    try:
        _overwrite(target, content)
    except OSError:
        with suppress(OSError):
            _overwrite(target, before)
        raise


def _overwrite(target: Path, content: bytes) -> None:
    # What is there is overwritten before anything is cut off: it keeps its place on a full disk.
    with target.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


CACHE_VARIABLE = "CODEGEMMA_CACHE"


def cache_folder(*names: str) -> Path:
    """Returns a folder in the user's cache, which is created if it is missing. Only the user may enter the cache, but
    for a folder that was there and that ``CACHE_VARIABLE`` names. Raises ``OSError``."""
    given = os.environ.get(CACHE_VARIABLE)
    top = Path(given).expanduser() if given else user_cache_path("codegemma-lsp", appauthor=False)
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not given:
        top.chmod(0o700)
    folder = top.joinpath(*names)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_regular(path: Path) -> bool:
    """Returns whether a path is a file with bytes of its own. A pipe or a device is none: reading it may wait for ever,
    or take what is meant for somebody else."""
    return stat.S_ISREG(path.stat().st_mode)
