"""``codegemma-lsp config``: the user's file, and what is in force."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codegemma_lsp.cli.config import schema
from codegemma_lsp.settings import Settings
from tests.test_cli import run


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, which is not there yet."""
    monkeypatch.setenv("CODEGEMMA_CONFIG", str(tmp_path / "own" / "config.toml"))
    return tmp_path / "own" / "config.toml"


def test_path(file: Path, tmp_path: Path) -> None:
    assert run("config", "path", cwd=tmp_path).stdout == f"{file}\n"


def test_show_says_where_a_setting_comes_from(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    file.write_text("maxTokens = 64\nheal = false\n")
    monkeypatch.setenv("CODEGEMMA_HEAL", "true")
    monkeypatch.setenv("CODEGEMMA_SEED", "7")
    lines = run("config", "show", cwd=tmp_path).stdout.splitlines()
    assert f"maxTokens = 64  # {file}" in lines
    assert "heal = true  # CODEGEMMA_HEAL" in lines
    assert "seed = 7  # CODEGEMMA_SEED" in lines
    assert "drafts = 8" in lines
    shown = json.loads(run("config", "show", "--json", cwd=tmp_path).stdout)
    assert (shown["maxTokens"], shown["seed"]) == (64, 7)
    assert set(shown) == {field.alias for field in Settings.model_fields.values()}


def test_check(file: Path, tmp_path: Path) -> None:
    nothing = run("config", "check", cwd=tmp_path)
    assert (nothing.returncode, nothing.stdout) == (0, f"There is no {file}; the defaults are used.\n")
    file.parent.mkdir()
    file.write_text('maxTokens = "lots"\nmodle = "x"\n')
    wrong = run("config", "check", cwd=tmp_path)
    assert wrong.returncode == 1
    assert f"{file} sets maxTokens to 'lots', which cannot be" in wrong.stdout
    assert f"{file} sets modle, which is no setting; did you mean model?" in wrong.stdout
    file.write_text("maxTokens = 64\n")
    right = run("config", "check", cwd=tmp_path)
    assert (right.returncode, right.stdout) == (0, f"{file} is correct.\n")


def test_edit_opens_the_editor_and_checks(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text("import sys\nwith open(sys.argv[1], 'a') as file:\n    file.write('maxTokens = 0\\n')\n")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    done = run("config", "edit", cwd=tmp_path)
    assert done.returncode == 1
    assert "sets maxTokens to 0, which cannot be" in done.stdout
    assert file.read_text().startswith("# Settings of codegemma-lsp")
    monkeypatch.setenv("EDITOR", "no-such-editor")
    missing = run("config", "edit", cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (
        1,
        "codegemma-lsp: The editor no-such-editor cannot be started; name another one in the variable EDITOR.\n",
    )


def test_the_schema_knows_every_setting(tmp_path: Path) -> None:
    printed = json.loads(run("config", "schema", cwd=tmp_path).stdout)
    assert printed == schema()
    assert set(printed["properties"]) == {field.alias for field in Settings.model_fields.values()}
    assert printed["additionalProperties"] is False
