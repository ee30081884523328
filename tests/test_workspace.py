"""Which files a question may bring before a model, and that none of a repository's own programs is run for a diff."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.chat.commit import staged
from codegemma_lsp.context import NotAllowed, Workspace, looks_secret
from codegemma_lsp.document import Document

FILES = ("a.py", "built/b.py", "priv/c.txt", "secret/d.txt", "sub/local.txt", "sub/kept.log", "notes.txt", ".env")
IGNORE = "built/\npriv/\nsecret/\n!secret/d.txt\nlocal.txt\n*.log\n!\n[z-a]\n\\\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
    (root / ".gitignore").write_text(IGNORE)
    (root / "priv" / ".gitignore").write_text("!*\n")
    (root / "sub" / ".gitignore").write_text("!kept.log\n")
    (root / ".git" / "info").mkdir(parents=True)
    (root / ".git" / "info" / "exclude").write_text("notes.txt\n")
    (tmp_path / "outside.py").write_text("")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    return root


def why_not(workspace: Workspace, name: str) -> str:
    try:
        workspace.find(name)
    except NotAllowed as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.py", ""),
        ("sub/kept.log", ""),
        ("built/b.py", "ignored"),
        ("priv/c.txt", "ignored"),
        ("secret/d.txt", "ignored"),
        ("sub/local.txt", "ignored"),
        ("notes.txt", "ignored"),
        (".env", "secret"),
        ("link.py", "outside"),
        ("../outside.py", "outside"),
        ("/etc/hostname", "outside"),
        ("none.py", "no file"),
        ("a" * 5000, "no file"),
        ("a\0b", "no file"),
    ],
)
def test_what_may_be_read(project: Path, name: str, said: str) -> None:
    workspace = Workspace((project,), lambda _: None)
    found = why_not(workspace, name)
    assert bool(found) is bool(said)
    assert said in found


def test_ignore_files_above_the_workspace_count(project: Path) -> None:
    assert "ignored" in why_not(Workspace((project / "sub",), lambda _: None), "local.txt")


def test_the_editors_text_comes_before_the_files(project: Path) -> None:
    known = Document((project / "a.py").as_uri(), "newer", "python", 7)
    assert Workspace((project,), lambda path: known).find("a.py") == (known, "a.py")


@pytest.mark.parametrize("name", [".env.local", "prod.env", "id_rsa", "x.pem", ".SSH/config", "kubeconfig", ".envrc"])
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(Path(name))


@pytest.mark.parametrize("name", ["env.py", "secrets.py", ".env.example", "keys.ts", "environment.yml"])
def test_names_that_are_none(name: str) -> None:
    assert not looks_secret(Path(name))


def git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)


def test_a_repositorys_configuration_runs_no_program(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    ran = tmp_path / "ran"
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / ".gitattributes").write_text("*.txt diff=evil\n")
    git(tmp_path, "add", ".")
    for name in ("diff.external", "diff.evil.textconv", "diff.evil.command", "core.fsmonitor", "core.pager"):
        git(tmp_path, "config", name, f"touch {ran}; cat")
    assert "+one" in asyncio.run(staged(tmp_path))
    assert not ran.exists()


def test_where_git_cannot_tell_is_a_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none", Path("a\0b")):
        with pytest.raises(RequestRefused, match=r"^git cannot .*\.$"):
            asyncio.run(staged(folder))
