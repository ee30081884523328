"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ADD = "def add(a, b):\n    return \n"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codegemma_lsp", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "add.py").write_text(ADD)
    (tmp_path / "emoji.py").write_text("s = '\U0001f600'\nprint(\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "latin1.py").write_bytes("x = 'é'".encode("latin-1"))
    return tmp_path


def test_json_is_one_object_a_line(folder: Path) -> None:
    done = run("complete", "add.py:2:12", "emoji.py:2:7", "empty.py:1:1", "add.py:2:12", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["path"], r["line"], r["column"]) for r in results] == [
        ("add.py", 2, 12),
        ("emoji.py", 2, 7),
        ("empty.py", 1, 1),
        ("add.py", 2, 12),
    ]
    for result in results:
        assert set(result["tokens"]) == {"prompt", "cached", "completion"}
        assert result["ms"]["total"] > 0
        for item in result["items"]:
            assert set(item) == {"insertText", "range"}
    assert results[0]["tokens"]["prompt"] > results[0]["tokens"]["cached"]
    assert results[0]["items"] == results[3]["items"]
    for item in results[1]["items"]:
        assert item["range"]["start"] == {"line": 1, "character": 6}


def test_the_suggestion_is_shown_in_place(folder: Path) -> None:
    source = Path(__file__).parent / "data" / "document.py"
    lines = source.read_text("utf-8").split("\n")
    places = [f"{source}:{n}:{len(line) + 1}" for n, line in enumerate(lines, 1) if n % 12 == 0]
    done = run("complete", *places, cwd=folder)
    assert done.returncode == 0
    assert done.stdout.count(" prompt tokens (") == len(places) > 10
    assert "⟦" in done.stdout


def test_explain_prints_the_prompt_piece_by_piece(folder: Path) -> None:
    done = run("complete", "add.py:2:12", "--explain", cwd=folder)
    assert done.returncode == 0
    for said in (
        "<bos>",
        "file path",
        "add.py",
        "<|fim_prefix|>",
        "prefix",
        "<|fim_middle|>",
        "tokens; the model",
    ):
        assert said in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["complete", "add.py"], 2, "'add.py' is not a position; write FILE:LINE:COL"),
        (["complete", "add.py:0:1"], 2, "is not a position"),
        (["complete", "add.py:99:1"], 2, "add.py has 3 lines, so there is no line 99."),
        (["complete", "add.py:1:99"], 2, "Line 1 of add.py ends at column 15, so there is no column 99."),
        (["complete", "nowhere.py:1:1"], 2, "There is no file nowhere.py."),
        (["complete", "latin1.py:1:1"], 1, "latin1.py is not UTF-8 (byte 6 is no text)"),
        (["complete", ".:1:1"], 1, ". cannot be read (Is a directory)."),
        (["complete", "add.py:1:1", "--model", "none.gguf"], 1, "none.gguf; correct the setting"),
        (["complete", "add.py:1:1", "--model", "add.py"], 1, "add.py is not a GGUF file"),
        (["complete", "add.py:1:1", "-s", "maxTokens=0"], 2, "The setting maxTokens cannot be 0"),
        (["complete", "add.py:1:1", "-s", "maxTokens"], 2, "--set takes NAME=VALUE"),
        (["complete"], 2, "Missing argument"),
        (["no-such-command"], 2, "No such command"),
        (["doctor", "--model", "none.gguf"], 1, "1 of the checks failed"),
    ],
)
def test_errors_are_a_sentence(folder: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor(folder: Path) -> None:
    done = run("doctor", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("program", "grammars", "model", "completion"):
        assert f"ok   {said}: " in done.stdout


def test_version(folder: Path) -> None:
    assert run("--version", cwd=folder).stdout.startswith("codegemma-lsp ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [["models", "list"], ["--version"]])
def test_a_full_disk_is_a_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "codegemma_lsp", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "codegemma-lsp: The output could not be written: the disk is full.\n"
