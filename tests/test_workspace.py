"""Which files a question may bring before a model, and that none of a repository's own programs is run for a diff."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from codegemma_lsp.chat import RequestRefused
from codegemma_lsp.chat.commit import staged
from codegemma_lsp.context import NotAllowed, Workspace, looks_secret, looks_secret_when_open
from codegemma_lsp.context.secrets import holds_secret
from codegemma_lsp.context.workspace import is_ignored
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


@pytest.mark.parametrize("name", ["notes.txt", "inner/own.txt", "linked/own.txt", "tree/own.txt"])
def test_the_exclude_file_of_each_repository_counts(project: Path, name: str) -> None:
    """A repository within another one, a submodule and a linked worktree."""
    (project / "inner" / ".git" / "info").mkdir(parents=True)
    (project / ".git" / "modules" / "linked" / "info").mkdir(parents=True)
    (project / ".git" / "worktrees" / "tree").mkdir(parents=True)
    (project / ".git" / "worktrees" / "tree" / "commondir").write_text("../..\n")
    for folder, text in (("linked", "gitdir: ../.git/modules/linked\n"), ("tree", "gitdir: ../.git/worktrees/tree\n")):
        (project / folder).mkdir()
        (project / folder / ".git").write_text(text)
    for exclude in ("inner/.git/info/exclude", ".git/modules/linked/info/exclude", ".git/info/exclude"):
        (project / exclude).write_text("own.txt\nnotes.txt\n")
    for folder in ("inner", "linked", "tree"):
        (project / folder / "own.txt").write_text("mine\n")
    assert "ignored" in why_not(Workspace((project,), lambda _: None), name)
    folder, _, inner = name.rpartition("/")
    assert "ignored" in why_not(Workspace((project / folder,), lambda _: None), inner)


def test_a_path_costs_what_its_length_costs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in looks at the disk: a path may come from a text, such as that of an import."""
    looks: list[Path] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **how: looks.append(path) or stat(path, **how))  # type: ignore[func-returns-value]
    counts = []
    for length in (50, 200):
        looks.clear()
        assert not is_ignored(Path(*["deep"] * length), project)
        counts.append(len(looks))
    assert 0 < counts[1] < 6 * counts[0]


def test_the_editors_text_comes_before_the_files(project: Path) -> None:
    known = Document(uri=(project / "a.py").as_uri(), text="newer", language="python", version=7)
    assert Workspace((project,), lambda path: known).find("a.py") == (known, "a.py")


def words(text: str) -> list[str]:
    return text.split()


SECRETS = words("""
.env .env.local .ENV .env~ .env.bak prod.env .envrc id_rsa id_rsa.py id_ed25519.pub.old x.pem server.pem.bak SERVER.KEY
a.p12 a.pfx a.jks a.keystore a.kdbx a.asc a.gpg a.ppk AuthKey_1.p8 .netrc _netrc .npmrc .yarnrc .pypirc .gemrc
.git-credentials .gitcookies .pgpass .my.cnf .vault-token .vault_pass.txt .htpasswd .dockercfg .dockerconfigjson .s3cfg
.boto rclone.conf kubeconfig kubeconfig.yaml admin.kubeconfig service-account.json service_account_key.json
client_secret.json client_secret_123.apps.json application_default_credentials.json google-credentials.json
firebase-adminsdk-1.json secret secrets secret.txt secrets.py secrets.yml secrets.json.old a.secret credentials
credentials.json credentials.csv passwords.txt password.json token.txt token.json auth.json home.ovpn terraform.tfstate
terraform.tfstate.backup prod.tfvars prod.tfvars.json .bash_history .zsh_history .python_history .psql_history
.mysql_history .ssh/config .SSH/known_hosts .aws/config .azure/a.json .gnupg/a .kube/config .docker/config.json
.git/config .terraform/a.json .m2/settings.xml home/.m2/settings.xml .gradle/gradle.properties .cargo/credentials.toml
.config/gh/hosts.yml api_key.txt apikeys.json
""")
NO_SECRETS = words("""
env.py .env.example .env.sample .env.template .env.dist keys.ts environment.yml token.py tokens.ts password.go
settings.xml keyboard.py monkey.py secretary.py history.py key.rs auth.py config.json history_of_all.md pem.go credit.py
""")


@pytest.mark.parametrize("name", SECRETS)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(Path(name))


@pytest.mark.parametrize("name", NO_SECRETS)
def test_names_of_no_secrets(name: str) -> None:
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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
def test_an_order_file_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("one\n")
    git(tmp_path, "add", "a.txt")
    os.mkfifo(tmp_path / "order")
    git(tmp_path, "config", "diff.orderFile", str(tmp_path / "order"))
    assert "+one" in asyncio.run(asyncio.wait_for(staged(tmp_path), 15))


@pytest.mark.parametrize("entry", ["", ".", "bin"])
def test_a_repositorys_own_git_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    git(tmp_path, "init", "-q")
    program = tmp_path / entry / "git"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{os.environ['PATH']}")
    assert asyncio.run(staged(tmp_path)) == ""
    assert not (tmp_path / "ran").exists()


def test_where_git_cannot_tell_is_a_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none", Path("a\0b")):
        with pytest.raises(RequestRefused, match=r"^git cannot .*\.$"):
            asyncio.run(staged(folder))


@pytest.mark.parametrize(
    "line",
    [
        'API_KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"',
        'password = "hunter22"',
        'AWS = "AKIAIOSFODNN7EXAMPLE"',
        'url = "https://user:pass1234@host/"',
        "-----BEGIN RSA PRIVATE KEY-----",
        'token: str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"',
    ],
)
def test_a_literal_that_looks_like_a_secret_is_found(line: str) -> None:
    assert holds_secret(f"class Till:\n    {line}\n    open = True\n")


@pytest.mark.parametrize(
    "text",
    [
        "def login(user: str, password: str, token: str | None = None) -> Session: ...\n",
        "class Tokenizer:\n    def token(self, key: str) -> int: ...\n",
        "SHA = 'cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046'\n",
        "",
    ],
)
def test_signatures_and_checksums_are_no_secrets(text: str) -> None:
    assert not holds_secret(text)


def test_a_message_to_git_is_no_secret_while_it_is_written() -> None:
    assert looks_secret(Path(".git/COMMIT_EDITMSG"))
    assert not looks_secret_when_open(Path("a/.git/COMMIT_EDITMSG"))
    assert looks_secret_when_open(Path("a/.ssh/config"))
