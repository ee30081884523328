"""Files that are written whole or not at all, and stay what they are."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codegemma_lsp.files import cache_folder, create_whole, replace_whole

Write = Callable[[Path, bytes], None]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written meets a full disk when it is to reach it."""
    tries: list[int] = []

    def fsync(handle: int) -> None:
        tries.append(handle)
        if len(tries) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.usefixtures("full_disk")
def test_a_new_file_that_does_not_fit_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        create_whole(tmp_path / "new.py", b"x = 1\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("names", [1, 2], ids=["one name", "two names"])
def test_a_file_stays_as_it_was_where_its_new_text_does_not_fit(tmp_path: Path, names: int) -> None:
    target = tmp_path / "a.py"
    target.write_bytes(b"old = 1\n")
    if names == 2:
        (tmp_path / "b.py").hardlink_to(target)
    with pytest.raises(OSError, match="No space"):
        replace_whole(target, b"new = 2\n" * 1000)
    assert target.read_bytes() == b"old = 1\n"
    assert len(list(tmp_path.iterdir())) == names


def test_a_file_with_two_names_stays_one(tmp_path: Path) -> None:
    target, other = tmp_path / "a.py", tmp_path / "b.py"
    target.write_bytes(b"a long old text\n")
    other.hardlink_to(target)
    replace_whole(target, b"new\n")
    assert (target.read_bytes(), other.read_bytes()) == (b"new\n", b"new\n")
    assert target.samefile(other)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_a_file_stays_its_owner_s(tmp_path: Path) -> None:
    target = tmp_path / "a.py"
    target.write_bytes(b"old\n")
    os.chown(target, 1234, 2345)
    target.chmod(0o640)
    replace_whole(target, b"new\n")
    status = target.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o640)
    assert target.read_bytes() == b"new\n"


def test_a_file_that_is_there_is_never_created_over(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"mine\n")
    with pytest.raises(FileExistsError):
        create_whole(tmp_path / "a.py", b"other\n")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine\n"]


def test_files_are_created_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    create_whole(tmp_path / "a.py", b"x\n")
    assert (tmp_path / "a.py").read_bytes() == b"x\n"
    with pytest.raises(FileExistsError):
        create_whole(tmp_path / "a.py", b"y\n")
    assert len(list(tmp_path.iterdir())) == 1


def test_nobody_else_may_enter_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEGEMMA_CACHE")
    monkeypatch.setattr("codegemma_lsp.files.user_cache_path", lambda *_, **__: tmp_path / "cache")
    folder = cache_folder("models")
    assert folder.is_dir()
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
